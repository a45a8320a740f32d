-- Summaries after a recomputation: count and span from the days, the latest value from its row. Only what a change can reach.
UPDATE datastream_summary s
   SET n = days.n, first_time = days.first_time, last_time = latest.phenomenon_time, latest_id = latest.id,
       latest_discriminator = latest.discriminator, latest_number = latest.number, latest_result = latest.result, latest_flag = latest.flag,
       latest_end = latest.phenomenon_end, latest_result_time = latest.result_time, latest_valid_start = latest.valid_start,
       latest_valid_end = latest.valid_end, latest_tests = latest.tests, latest_ruleset = latest.ruleset,
       latest_feature_id = latest.feature_id, latest_parameters = latest.parameters, latest_quality = latest.quality,
       changed = clock_timestamp(), written = pg_current_xact_id()
  FROM (SELECT datastream_id, sum(n) AS n, min(first_time) AS first_time, max(last_time) AS last_time
          FROM aggregate WHERE span = 'day' AND datastream_id = ANY (%(datastreams)s) GROUP BY datastream_id) AS days
  CROSS JOIN LATERAL (SELECT * FROM observation o
                       WHERE o.datastream_id = days.datastream_id AND o.phenomenon_time = days.last_time AND NOT o.deleted
                       ORDER BY o.discriminator DESC LIMIT 1) AS latest
 WHERE s.datastream_id = days.datastream_id
