-- What is `staged` becomes rows, aggregates, summaries and news, in one statement: a statement each costs twice the time.
-- Begins in from_stage.sql or from_json.sql, which give `staged` and the time `zone` of each Datastream.
-- Rows that meet one already stored are left to overrule.sql.
-- Locks are taken in sorted order, table after table, so that two writers never wait for each other in a circle.
fresh AS (
    INSERT INTO observation (id, datastream_id, phenomenon_time, phenomenon_end, discriminator, received, result_time, valid_start, valid_end,
                             number, result, flag, tests, ruleset, feature_id, lon, lat, height, parameters, quality, epoch, seq, item)
    SELECT id, datastream_id, phenomenon_time, phenomenon_end, discriminator, received, result_time, valid_start, valid_end,
           number, result::json, flag, tests, ruleset, feature_id, lon, lat, height, parameters::jsonb, quality::jsonb, epoch, seq, item
      FROM staged
    ON CONFLICT (datastream_id, phenomenon_time, discriminator) DO NOTHING
    RETURNING id, datastream_id, phenomenon_time, phenomenon_end, discriminator, result_time, valid_start, valid_end, number, result, flag,
              tests, ruleset, feature_id, parameters, quality
),
quarter AS (
    SELECT datastream_id, bucket, flag, count(*) AS n, count(number) AS numbers,
           coalesce(sum(exact), 0) AS sum, coalesce(sum(exact * exact), 0) AS sum_squares, min(number) AS min, max(number) AS max,
           min(phenomenon_time) AS first_time, max(phenomenon_time) AS last_time,
           -- Of several at one time the least is the first and the greatest the last: which came last must not show.
           array_agg(number ORDER BY phenomenon_time, number) AS ordered,
           sum(CASE WHEN angle THEN round(sind(number) * 1e6)::bigint END)::bigint AS sin_sum,
           sum(CASE WHEN angle THEN round(cosd(number) * 1e6)::bigint END)::bigint AS cos_sum,
           min(ruleset) AS ruleset_low, max(ruleset) AS ruleset_high
      FROM (SELECT fresh.*, date_bin('15 min', phenomenon_time, '2000-01-01Z') AS bucket, number::text::numeric AS exact, angle
              FROM fresh JOIN zone ON zone.id = fresh.datastream_id) AS rows
     GROUP BY datastream_id, bucket, flag
),
spans AS (
    SELECT 'quarter_hour'::aggregate_span AS span, datastream_id, bucket, flag, n, numbers, sum, sum_squares, min, max,
           first_time, ordered[1] AS first_number, last_time, ordered[n] AS last_number,
           sin_sum, cos_sum, ruleset_low, ruleset_high
      FROM quarter
    UNION ALL
    SELECT 'hour', datastream_id, date_trunc('hour', bucket, 'UTC'), flag, n, numbers, sum, sum_squares, min, max,
           first_time, ordered[1], last_time, ordered[n], sin_sum, cos_sum, ruleset_low, ruleset_high
      FROM quarter
    UNION ALL
    SELECT 'day', q.datastream_id, date_trunc('day', q.bucket, z.timezone), q.flag, n, numbers, sum, sum_squares, min, max,
           first_time, ordered[1], last_time, ordered[n], sin_sum, cos_sum, ruleset_low, ruleset_high
      FROM quarter q JOIN zone z ON z.id = q.datastream_id
),
into_aggregate AS (
    INSERT INTO aggregate AS a (datastream_id, span, bucket, flag, n, numbers, sum, sum_squares, min, max,
                                first_time, first_number, last_time, last_number, sin_sum, cos_sum, ruleset_low, ruleset_high)
    SELECT datastream_id, span, bucket, flag, sum(n), sum(numbers), sum(sum), sum(sum_squares), min(min), max(max),
           min(first_time), (array_agg(first_number ORDER BY first_time))[1],
           max(last_time), (array_agg(last_number ORDER BY last_time DESC))[1],
           sum(sin_sum)::bigint, sum(cos_sum)::bigint, min(ruleset_low), max(ruleset_high)
      FROM spans GROUP BY datastream_id, span, bucket, flag ORDER BY datastream_id, span, bucket, flag
-- include add_to_aggregate
),
latest AS (
    SELECT DISTINCT ON (datastream_id) datastream_id, phenomenon_time, phenomenon_end, id, discriminator, number, result, flag, result_time,
           valid_start, valid_end, tests, ruleset, feature_id, parameters, quality
      FROM fresh ORDER BY datastream_id, phenomenon_time DESC, discriminator DESC
),
span AS (
    SELECT datastream_id, count(*) AS n, min(phenomenon_time) AS first_time, max(coalesce(phenomenon_end, phenomenon_time)) AS end_time,
           min(result_time) AS result_first, max(result_time) AS result_last
      FROM fresh GROUP BY datastream_id
),
into_summary AS (
    INSERT INTO datastream_summary AS s (datastream_id, n, first_time, last_time, end_time, latest_id, latest_discriminator,
                                         latest_number, latest_result, latest_flag, latest_end, latest_result_time, latest_valid_start,
                                         latest_valid_end, latest_tests, latest_ruleset, latest_feature_id, latest_parameters,
                                         latest_quality, result_first, result_last, changed)
    SELECT datastream_id, n, first_time, phenomenon_time, end_time, id, discriminator, number, result, flag, phenomenon_end, result_time,
           valid_start, valid_end, tests, ruleset, feature_id, parameters, quality, result_first, result_last, clock_timestamp()
      FROM latest JOIN span USING (datastream_id) ORDER BY datastream_id
-- include add_to_summary
),
queued AS (  -- what virtual Datastreams make of these readings
    INSERT INTO virtual_queue (datastream_id, quarter)
    SELECT DISTINCT v.datastream_id, q.bucket FROM quarter q JOIN virtual_input v ON v.input_id = q.datastream_id
),
news AS (
    INSERT INTO stored_outbox (payload)
    SELECT convert_to('{"version":1,"created":[' || string_agg(id::text, ',') || ']}', 'UTF8') FROM fresh HAVING count(*) > 0
),
places AS (
    INSERT INTO datastream_feature (datastream_id, feature_id)
    SELECT DISTINCT datastream_id, feature_id FROM fresh WHERE feature_id IS NOT NULL ORDER BY datastream_id, feature_id
    ON CONFLICT DO NOTHING
)
SELECT (SELECT count(*) FROM staged) AS staged, (SELECT count(*) FROM fresh) AS fresh,
       (SELECT string_agg(place || ' ' || id, ',') FROM staged WHERE place IS NOT NULL) AS places
