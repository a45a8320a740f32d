-- Datastreams of Things in several time zones, one private; readings of three months at full and odd instants, around changes of the
-- clock more of them; instants, intervals from seconds to weeks, ends before starts; some deleted.
INSERT INTO thing (name, description, properties) VALUES
    ('Berlin', 'd', NULL), ('Kolkata', 'd', '{"timezone": "Asia/Kolkata"}'), ('Azores', 'd', '{"timezone": "Atlantic/Azores"}'),
    ('Private', 'd', '{"public": false}'), ('UTC', 'd', '{"timezone": "UTC"}');
INSERT INTO sensor (name, description, encoding_type, metadata) VALUES ('s', 'd', 'text/plain', '""');
INSERT INTO observed_property (name, definition, description) VALUES ('p', 'http://x', 'd');
INSERT INTO datastream (name, description, observation_type, unit_of_measurement, thing_id, sensor_id, observed_property_id)
SELECT 'Datastream ' || i, 'd', 't', '{}', (i - 1) % 5 + 1, 1, 1 FROM generate_series(1, 10) i;
SELECT setseed(0.5);
INSERT INTO observation (id, datastream_id, phenomenon_time, phenomenon_end, discriminator, received, number, flag, tests, ruleset, deleted)
SELECT observation_id(t), 1 + k % 10, t,
       CASE k % 7 WHEN 1 THEN t + interval '15 min' WHEN 2 THEN t + random() * interval '3 days' WHEN 3 THEN t - interval '1 hour'
                  WHEN 4 THEN t + (k % 40) * interval '1 day' END,
       k, t, k, CASE k % 3 WHEN 0 THEN 3 ELSE 1 END, 1, 1, k % 11 = 0
  FROM generate_series(1, 6000) k,
       LATERAL (SELECT CASE WHEN k % 3 = 0 THEN timestamptz '2026-03-28Z' + random() * interval '2 days'
                            WHEN k % 3 = 1 THEN timestamptz '2026-02-01Z' + (random() * 6000)::int * interval '15 min'
                            ELSE timestamptz '2026-02-01Z' + random() * interval '80 days' END AS t) z;
INSERT INTO datastream_summary (datastream_id, n, first_time, last_time, end_time, latest_id, latest_discriminator, latest_flag, changed)
SELECT datastream_id, count(*), min(phenomenon_time), max(phenomenon_time), max(phenomenon_time), max(id), 0, 1, now()
  FROM observation WHERE NOT deleted GROUP BY datastream_id;
