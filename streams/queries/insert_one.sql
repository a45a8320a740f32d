-- One row becomes what apply.sql makes of many. Starting that statement's many parts costs more than writing one row
-- by a few simple ones, each planned once in a session. Gives its id, NULL where it can't be placed; nothing is written then.
-- Locks and their order are those of from_json.sql and apply.sql. `r.result`, `r.parameters` and `r.quality` are JSON as text.
CREATE OR REPLACE FUNCTION pg_temp.insert_one(r stage, r_thing bigint) RETURNS bigint LANGUAGE plpgsql AS $body$
DECLARE
    place record;
    exact numeric := r.number::text::numeric;
    quarter timestamptz := date_bin('15 min', r.phenomenon_time, '2000-01-01Z');
BEGIN
    SELECT t.timezone, d.angle, EXISTS (SELECT FROM virtual_input WHERE input_id = d.id) AS is_input,
           EXISTS (SELECT FROM datastream_feature WHERE datastream_id = d.id AND feature_id = f.id) AS is_there
      INTO place
      FROM thing t JOIN datastream d ON d.thing_id = t.id CROSS JOIN feature_of_interest f
     WHERE t.id = r_thing AND d.id = r.datastream_id AND f.id = r.feature_id
       FOR KEY SHARE OF t, d, f;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    r.id := observation_id(r.phenomenon_time);
    r.discriminator := coalesce(r.discriminator, r.id);
    INSERT INTO observation (id, datastream_id, phenomenon_time, phenomenon_end, discriminator, received, result_time, valid_start, valid_end,
                             number, result, flag, tests, ruleset, feature_id, parameters, quality)
    VALUES (r.id, r.datastream_id, r.phenomenon_time, r.phenomenon_end, r.discriminator, r.received, r.result_time, r.valid_start, r.valid_end,
            r.number, r.result::json, r.flag, r.tests, r.ruleset, r.feature_id, r.parameters::jsonb, r.quality::jsonb)
    ON CONFLICT (datastream_id, phenomenon_time, discriminator) DO NOTHING;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO aggregate AS a (datastream_id, span, bucket, flag, n, numbers, sum, sum_squares, min, max,
                                first_time, first_number, last_time, last_number, sin_sum, cos_sum, ruleset_low, ruleset_high)
    SELECT r.datastream_id, span, bucket, r.flag, 1, CASE WHEN exact IS NULL THEN 0 ELSE 1 END,
           coalesce(exact, 0), coalesce(exact * exact, 0), r.number, r.number,
           r.phenomenon_time, r.number, r.phenomenon_time, r.number,
           CASE WHEN place.angle THEN round(sind(r.number) * 1e6)::bigint END,
           CASE WHEN place.angle THEN round(cosd(r.number) * 1e6)::bigint END, r.ruleset, r.ruleset
      FROM (VALUES ('quarter_hour'::aggregate_span, quarter), ('hour', date_trunc('hour', quarter, 'UTC')),
                   ('day', date_trunc('day', quarter, place.timezone))) AS spans (span, bucket)
-- include add_to_aggregate
    ;
    INSERT INTO datastream_summary AS s (datastream_id, n, first_time, last_time, end_time, latest_id, latest_discriminator,
                                         latest_number, latest_result, latest_flag, latest_end, latest_result_time, latest_valid_start,
                                         latest_valid_end, latest_tests, latest_ruleset, latest_feature_id, latest_parameters,
                                         latest_quality, result_first, result_last, changed)
    VALUES (r.datastream_id, 1, r.phenomenon_time, r.phenomenon_time, coalesce(r.phenomenon_end, r.phenomenon_time), r.id, r.discriminator,
            r.number, r.result::json, r.flag, r.phenomenon_end, r.result_time, r.valid_start,
            r.valid_end, r.tests, r.ruleset, r.feature_id, r.parameters::jsonb,
            r.quality::jsonb, r.result_time, r.result_time, clock_timestamp())
-- include add_to_summary
    ;
    IF place.is_input THEN
        INSERT INTO virtual_queue (datastream_id, quarter)
        SELECT v.datastream_id, quarter FROM virtual_input v WHERE v.input_id = r.datastream_id;
    END IF;
    INSERT INTO stored_outbox (payload) VALUES (convert_to('{"version":1,"created":[' || r.id || ']}', 'UTF8'));
    IF NOT place.is_there THEN
        INSERT INTO datastream_feature (datastream_id, feature_id) VALUES (r.datastream_id, r.feature_id) ON CONFLICT DO NOTHING;
    END IF;
    RETURN r.id;
END $body$
