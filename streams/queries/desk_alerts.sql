-- Alerts for people at the command line, hidden Things' included.
SELECT a.id, a.rule, a.rule_version, a.state, a.level, a.highest, a.value, a.unit, a.value_at, a.begins, a.ends, a.acknowledged_at,
       a.acknowledged_by, a.note, a.changed_at, a.number, a.thing_id, a.thing, a.tenant, a.device, a.datastream_id, a.datastream, a.property,
       o.waiting, o.given_up
  FROM read.alert a
 CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE given_up_at IS NULL) AS waiting, count(given_up_at) AS given_up
                       FROM alert_outbox WHERE alert = a.id) AS o
 WHERE (%(id)s::bigint IS NULL OR a.id = %(id)s) AND (%(state)s::text IS NULL OR a.state = %(state)s)
   AND (%(rule)s::text IS NULL OR a.rule = %(rule)s) AND a.level >= %(level)s
 ORDER BY a.begins DESC, a.id DESC
 LIMIT %(most)s
