-- 200 Datastreams of 20 Things with 150 readings each over ten weeks, and 3,000 Things in a wide area: enough that a plan without
-- an index would show.
INSERT INTO thing (name, description, properties) SELECT 'Station ' || i, 'd', jsonb_build_object('n', i) FROM generate_series(1, 20) i;
INSERT INTO location (name, description, encoding_type, location)
SELECT 'Place ' || i, 'd', 'application/geo+json', '{"type": "Point", "coordinates": [9, 54]}' FROM generate_series(1, 20) i;
INSERT INTO thing_location SELECT i, i FROM generate_series(1, 20) i;
INSERT INTO thing (name, description) SELECT 'Place ' || i, 'd' FROM generate_series(21, 3020) i;
INSERT INTO location (name, description, encoding_type, location)
SELECT 'Place ' || i, 'd', 'application/geo+json', jsonb_build_object('type', 'Point', 'coordinates', jsonb_build_array(8 + i / 2000.0, 48 + i % 55 / 10.0))
  FROM generate_series(21, 3020) i;
INSERT INTO thing_location SELECT i, i FROM generate_series(21, 3020) i;
INSERT INTO sensor (name, description, encoding_type, metadata) VALUES ('s', 'd', 'text/plain', '""');
INSERT INTO observed_property (name, definition, description) VALUES ('p', 'http://x', 'd');
INSERT INTO datastream (name, description, observation_type, unit_of_measurement, thing_id, sensor_id, observed_property_id)
SELECT 'Datastream ' || i, 'd', 't', '{}', (i - 1) / 10 + 1, 1, 1 FROM generate_series(1, 200) i;
INSERT INTO feature_of_interest (name, description, encoding_type, feature)
SELECT name, description, encoding_type, location FROM location ORDER BY id LIMIT 20;
INSERT INTO datastream_feature SELECT i, (i - 1) / 10 + 1 FROM generate_series(1, 200) i;
INSERT INTO observation (id, datastream_id, phenomenon_time, received, number, flag, tests, ruleset, feature_id)
SELECT observation_id(t), d, t, t, k % 100, 1, 1, 1, (d - 1) / 10 + 1
  FROM generate_series(0, 149) k, generate_series(1, 200) d, LATERAL (SELECT timestamptz '2026-01-01Z' + k * interval '11 hours' AS t) z;
INSERT INTO datastream_summary (datastream_id, n, first_time, last_time, end_time, latest_id, latest_discriminator, latest_flag, changed)
SELECT datastream_id, count(*), min(phenomenon_time), max(phenomenon_time), max(phenomenon_time), max(id), 0, 1, now()
  FROM observation GROUP BY datastream_id;
ANALYZE;
