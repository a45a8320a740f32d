-- Alerts as their events are now.
UPDATE alert a
   SET rule_version = u.version, begins = u.begins, ends = u.ends, state = u.state, level = u.level, highest = u.highest, value = u.value,
       value_at = u.value_at, number = u.number, changed_at = clock_timestamp()
  FROM unnest(%(ids)s::bigint[], %(versions)s::int[], %(begins)s::timestamptz[], %(ends)s::timestamptz[], %(states)s::text[],
              %(levels)s::smallint[], %(highests)s::smallint[], %(values)s::float8[], %(values_at)s::timestamptz[], %(numbers)s::int[])
    AS u (id, version, begins, ends, state, level, highest, value, value_at, number)
 WHERE a.id = u.id
