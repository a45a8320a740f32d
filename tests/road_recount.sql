-- What differs between the figures and a new count of all rows; a computation of its own, so that it does not share the store's faults.
WITH counted AS (
    SELECT o.datastream_id, span.name AS span, span.bucket, o.flag, count(*) AS n, count(o.number) AS numbers,
           coalesce(sum(o.number::text::numeric), 0) AS sum, coalesce(sum(o.number::text::numeric * o.number::text::numeric), 0) AS sum_squares,
           min(o.number) AS min, max(o.number) AS max, min(o.phenomenon_time) AS first_time, max(o.phenomenon_time) AS last_time,
           (array_agg(o.number ORDER BY o.phenomenon_time, o.number))[1] AS first_number,
           (array_agg(o.number ORDER BY o.phenomenon_time DESC, o.number DESC))[1] AS last_number,
           sum(CASE WHEN d.angle THEN round(sind(o.number) * 1e6)::bigint END)::bigint AS sin_sum,
           sum(CASE WHEN d.angle THEN round(cosd(o.number) * 1e6)::bigint END)::bigint AS cos_sum,
           min(o.ruleset) AS ruleset_low, max(o.ruleset) AS ruleset_high
      FROM observation o
      JOIN datastream d ON d.id = o.datastream_id
      JOIN thing t ON t.id = d.thing_id
      CROSS JOIN LATERAL (VALUES
          ('quarter_hour', to_timestamp(floor(extract(epoch FROM o.phenomenon_time) / 900) * 900)),
          ('hour', to_timestamp(floor(extract(epoch FROM o.phenomenon_time) / 3600) * 3600)),
          ('day', (o.phenomenon_time AT TIME ZONE t.timezone)::date::timestamp AT TIME ZONE t.timezone),
          ('month', date_trunc('month', o.phenomenon_time AT TIME ZONE t.timezone) AT TIME ZONE t.timezone)) AS span (name, bucket)
     WHERE NOT o.deleted
     GROUP BY o.datastream_id, span.name, span.bucket, o.flag
),
kept AS (
    SELECT datastream_id, span::text AS span, bucket, flag, n::bigint, numbers::bigint, sum, sum_squares, min, max, first_time, last_time,
           first_number, last_number, sin_sum, cos_sum, ruleset_low, ruleset_high
      FROM aggregate
    UNION ALL
    SELECT datastream_id, 'month', bucket, flag, n, numbers, sum, sum_squares, min, max, first_time, last_time,
           first_number, last_number, sin_sum, cos_sum, ruleset_low, ruleset_high
      FROM read.aggregate_month
),
summed AS (
    SELECT datastream_id, count(*) AS n, min(phenomenon_time) AS first_time, max(phenomenon_time) AS last_time,
           (array_agg(id ORDER BY phenomenon_time DESC, discriminator DESC))[1] AS latest_id,
           (array_agg(number ORDER BY phenomenon_time DESC, discriminator DESC))[1] AS latest_number,
           (array_agg(flag ORDER BY phenomenon_time DESC, discriminator DESC))[1] AS latest_flag
      FROM observation WHERE NOT deleted GROUP BY datastream_id
),
summary AS (
    SELECT datastream_id, n, first_time, last_time, latest_id, latest_number, latest_flag FROM datastream_summary
)
SELECT 'kept, not counted' AS what, to_jsonb(q) FROM (TABLE kept EXCEPT TABLE counted) AS q
UNION ALL SELECT 'counted, not kept', to_jsonb(q) FROM (TABLE counted EXCEPT TABLE kept) AS q
UNION ALL SELECT 'summary, not counted', to_jsonb(q) FROM (TABLE summary EXCEPT TABLE summed) AS q
UNION ALL SELECT 'counted, no summary', to_jsonb(q) FROM (TABLE summed EXCEPT TABLE summary) AS q
