-- Four days of quarter-hour figures of every numeric Datastream up to now, one reading in twenty flagged 4, and what follows from them.
WITH stream AS (
    SELECT d.id, (d.properties ->> 'interval_s')::float8 AS interval_s, t.timezone
      FROM datastream d JOIN thing t ON t.id = d.thing_id
     WHERE d.observation_type LIKE '%Measurement' OR d.observation_type LIKE '%CountObservation'
),
reading AS (
    SELECT s.id, s.timezone, at, 10 + (row_number() OVER (PARTITION BY s.id ORDER BY at) % 7) AS number,
           CASE WHEN row_number() OVER (PARTITION BY s.id ORDER BY at) % 20 = 0 THEN 4 ELSE 1 END::smallint AS flag
      FROM stream s
     CROSS JOIN LATERAL generate_series(date_bin('1 hour', now(), 'epoch') - interval '4 days', now() - make_interval(secs => s.interval_s),
                                        make_interval(secs => greatest(s.interval_s, 900))) AS at
)
INSERT INTO aggregate (datastream_id, span, bucket, flag, n, numbers, sum, sum_squares, min, max, first_time, first_number, last_time, last_number)
SELECT id, span::aggregate_span,
       CASE span WHEN 'quarter_hour' THEN date_bin('15 minutes', at, 'epoch') WHEN 'hour' THEN date_trunc('hour', at) ELSE date_trunc('day', at, timezone) END,
       flag, count(*), count(*), sum(number), sum(number * number), min(number), max(number), min(at), min(number), max(at), max(number)
  FROM reading CROSS JOIN (VALUES ('quarter_hour'), ('hour'), ('day')) AS s (span)
 GROUP BY 1, 2, 3, 4;

INSERT INTO datastream_summary (datastream_id, n, first_time, last_time, end_time, latest_id, latest_discriminator, latest_number, latest_flag, changed)
SELECT datastream_id, sum(n), min(first_time), max(last_time), max(last_time), 1, 0, 12.5, 1, now() FROM aggregate WHERE span = 'hour' GROUP BY 1;

INSERT INTO datastream_summary (datastream_id, n, first_time, last_time, end_time, latest_id, latest_discriminator, latest_result, latest_flag, changed)
SELECT id, 1, now(), now(), now(), 1, 0, CASE WHEN observation_type LIKE '%TruthObservation' THEN 'true' ELSE '"CHARGING"' END::json, 1, now()
  FROM datastream ON CONFLICT DO NOTHING;

INSERT INTO dead_letter (received, topic, payload, tenant, device, epoch, seq, reason, detail, refused, readings)
VALUES (now() - interval '30 minutes', 'region/1/default/x/up/json', '\x7b', 'default', 'x', 1, 1, 'not_json', 'ended early', NULL, 1),
       (now() - interval '20 minutes', 'region/1/default/x/up/json', '\x7b', 'default', 'x', 1, 2, 'unknown_channel', 'no y', '[[0, "unknown_channel", "no y"]]', 2);

-- Two readings of each Datastream that tests accused, and two revisions of them.
INSERT INTO observation (id, datastream_id, phenomenon_time, received, number, flag, tests, ruleset)
SELECT row_number() OVER (), s.datastream_id, now() - interval '1 hour' * k, now(), 1, 2 + k, 3::bigint << 12 | (2 + k)::bigint << 20, 1
  FROM datastream_summary s CROSS JOIN generate_series(1, 2) AS k;
INSERT INTO revision (at, cause, datastream_id, phenomenon_time, discriminator, observation_id, old, new)
SELECT now() - interval '5 minutes', CASE WHEN flag = 3 THEN 'judged' ELSE 'patched' END, datastream_id, phenomenon_time, 0, id,
       '{"number": 0, "result": null, "flag": 1}', '{"number": 1, "result": null, "flag": 3}'
  FROM observation;

-- An event of each Datastream that lasts, and one that was taken back.
INSERT INTO alert (rule, rule_version, datastream, begins, state, level, highest, changed_at, number)
SELECT 'no_data', 1, datastream_id, now() - interval '1 hour' * k, CASE k WHEN 1 THEN 'raised' ELSE 'withdrawn' END, 1, 1, now(), 1
  FROM datastream_summary CROSS JOIN generate_series(1, 2) AS k;
