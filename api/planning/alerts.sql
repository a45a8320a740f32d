-- Alerts that a reader may see, the newest event first; one more than asked for tells whether there are more.
SELECT id, rule, rule_version, state, level, highest, value, value_at, begins, ends, acknowledged_at, acknowledged_by, note, changed_at, number,
       thing_id, thing, coalesce(thing_names, '{}') AS thing_names, tenant, device, timezone,
       datastream_id, datastream, coalesce(names, '{}') AS names, unit, property
  FROM read.alert
 WHERE (%(private)s OR public)
   AND (%(id)s::bigint IS NULL OR id = %(id)s)
   AND CASE WHEN %(state)s::text IS NULL THEN state <> 'withdrawn' OR %(id)s::bigint IS NOT NULL ELSE state = %(state)s END
   AND (%(rule)s::text IS NULL OR rule = %(rule)s)
   AND (%(level)s::int IS NULL OR level >= %(level)s)
   AND (%(acknowledged)s::boolean IS NULL OR (acknowledged_at IS NOT NULL) = %(acknowledged)s)
   AND (%(thing)s::bigint IS NULL OR thing_id = %(thing)s)
   AND (%(datastream)s::bigint IS NULL OR datastream_id = %(datastream)s)
   AND (%(since)s::timestamptz IS NULL OR coalesce(ends, 'infinity') >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR begins < %(until)s)
   AND (%(after_begins)s::timestamptz IS NULL OR (begins, id) < (%(after_begins)s, %(after_id)s))
 ORDER BY begins DESC, id DESC
 LIMIT %(most)s
