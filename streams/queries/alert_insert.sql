-- New alerts.
INSERT INTO alert (datastream, rule, rule_version, begins, ends, state, level, highest, value, value_at, number)
SELECT u.* FROM unnest(%(datastreams)s::bigint[], %(rules)s::text[], %(versions)s::int[], %(begins)s::timestamptz[], %(ends)s::timestamptz[],
                       %(states)s::text[], %(levels)s::smallint[], %(highests)s::smallint[], %(values)s::float8[], %(values_at)s::timestamptz[],
                       %(numbers)s::int[]) AS u
RETURNING datastream, rule, begins, id
