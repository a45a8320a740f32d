-- Thing 3 is private. Datastream 1 has ten numbers ten minutes apart, 2 other results over intervals, 3 none,
-- 4 and 5 are private; 5 shares its Sensor and its FeatureOfInterest with public ones.
INSERT INTO thing (name, description, properties) VALUES
    ('Bridge', 'over the fjord', '{"owner": "x", "n": 3, "list": [1, 2], "a-b": "dash", "at": "2026-01-01T00:00:00Z", "on": true}'),
    ('O''Neil "quoted" \', 'second; line', NULL),
    ('Secret', 'nobody may know', '{"public": false, "owner": "x"}');
INSERT INTO location (name, description, encoding_type, location) VALUES
    ('Quay', 'd', 'application/geo+json', '{"type": "Point", "coordinates": [9.43, 54.79]}'),
    ('Square', 'd', 'application/geo+json', '{"type": "Feature", "geometry": {"type": "Point", "coordinates": [8.9, 54.5]}}'),
    ('Hideout', 'd', 'application/geo+json', '{"type": "Point", "coordinates": [9.43, 54.79]}'),
    ('Unused', 'd', 'text/plain', '"behind the barn"');
INSERT INTO thing_location VALUES (1, 1), (2, 2), (3, 3);
INSERT INTO historical_location (time, thing_id) VALUES ('2026-01-01Z', 1), ('2026-02-01Z', 1), ('2026-01-01Z', 3);
INSERT INTO historical_location_location VALUES (1, 2), (2, 1), (3, 3);
INSERT INTO sensor (name, description, encoding_type, metadata) VALUES
    ('Thermometer', 'd', 'text/plain', '"none"'), ('Hidden sensor', 'd', 'text/plain', '{"serial": 7}');
INSERT INTO observed_property (name, definition, description) VALUES ('temperature', 'http://x/t', 'd'), ('state', 'http://x/s', 'd');
INSERT INTO datastream (name, description, observation_type, unit_of_measurement, properties, thing_id, sensor_id, observed_property_id)
SELECT name, 'd', 'OM_Measurement', '{"name": "degree Celsius", "symbol": "°C", "definition": "Cel"}', properties::jsonb, thing, sensor, property
  FROM (VALUES ('Air', '{"channel": "t"}', 1, 1, 1), ('Door', NULL, 1, 1, 2), ('Empty', NULL, 2, 1, 1), ('Private', NULL, 3, 2, 1),
                ('Private too', NULL, 3, 1, 2))
    AS d (name, properties, thing, sensor, property);
SELECT feature_of_thing(1), feature_of_thing(3);
INSERT INTO observation (id, datastream_id, phenomenon_time, received, result_time, number, flag, tests, ruleset, feature_id, parameters)
SELECT observation_id(t), 1, t, t, CASE WHEN k <> 4 THEN t END, k + 0.5, CASE WHEN k = 7 THEN 3 ELSE 1 END,
       CASE WHEN k = 7 THEN x'13001'::int ELSE x'1001'::int END, 1, 1, CASE WHEN k = 2 THEN '{"depth": 2}'::jsonb END
  FROM generate_series(0, 9) k, LATERAL (SELECT timestamptz '2026-03-01Z' + k * interval '10 min' + CASE WHEN k = 3 THEN interval '0.25 s' ELSE '0' END AS t) z;
INSERT INTO observation (id, datastream_id, phenomenon_time, phenomenon_end, discriminator, received, result, flag, tests, ruleset, feature_id, quality)
SELECT 1000 + k, 2, t, t + interval '15 min', k, t, r::json, 2, 0, 1, 1, CASE WHEN k = 0 THEN '[{"name": "mine"}]'::jsonb END
  FROM (VALUES (0, '"open"'), (1, 'true'), (2, '{"b": 1, "a": "z"}'), (3, NULL), (4, '"7"')) v (k, r),
       LATERAL (SELECT timestamptz '2026-03-01Z' + k * interval '15 min' AS t) z;
INSERT INTO observation (id, datastream_id, phenomenon_time, received, number, flag, tests, ruleset, feature_id)
SELECT observation_id(t), d, t, t, n, 1, 1, 1, f FROM (VALUES (4, 99, 2), (5, 98, 1)) v (d, n, f), (SELECT timestamptz '2026-03-01Z' AS t) z;
INSERT INTO datastream_summary (datastream_id, n, first_time, last_time, end_time, latest_id, latest_discriminator, latest_number,
                                latest_result, latest_flag, latest_end, latest_result_time, latest_tests, latest_ruleset,
                                latest_feature_id, latest_parameters, latest_quality, result_first, result_last, changed)
SELECT a.datastream_id, n, first_time, phenomenon_time, end_time, id, discriminator, number, result, flag, phenomenon_end, result_time, tests,
       ruleset, feature_id, parameters, quality, result_first, result_last, now()
  FROM (SELECT datastream_id, count(*) AS n, min(phenomenon_time) AS first_time, max(coalesce(phenomenon_end, phenomenon_time)) AS end_time,
               min(result_time) AS result_first, max(result_time) AS result_last FROM observation GROUP BY datastream_id) a
  JOIN (SELECT DISTINCT ON (datastream_id) * FROM observation ORDER BY datastream_id, phenomenon_time DESC) o USING (datastream_id);
