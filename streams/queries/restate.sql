-- Verdicts on stored rows that rows before or behind them changed.
WITH given AS (
    SELECT datastream_id, 'epoch'::timestamptz + us * interval '1 us' AS phenomenon_time, discriminator, flag, tests, ruleset
      FROM unnest(%(datastreams)s::bigint[], %(times)s::bigint[], %(discriminators)s::bigint[], %(flags)s::smallint[], %(tests)s::bigint[],
                  %(rulesets)s::int[]) AS u (datastream_id, us, discriminator, flag, tests, ruleset)
),
changed AS (
    UPDATE observation o SET flag = g.flag, tests = g.tests, ruleset = g.ruleset
      FROM given g
     WHERE o.datastream_id = g.datastream_id AND o.phenomenon_time = g.phenomenon_time AND o.discriminator = g.discriminator
       AND o.phenomenon_time BETWEEN (SELECT min(phenomenon_time) FROM given) AND (SELECT max(phenomenon_time) FROM given)
    RETURNING o.datastream_id, o.id, o.flag, o.tests, o.ruleset
)
UPDATE datastream_summary s SET latest_flag = c.flag, latest_tests = c.tests, latest_ruleset = c.ruleset, written = pg_current_xact_id()
  FROM changed c WHERE s.datastream_id = c.datastream_id AND s.latest_id = c.id
