-- Second half of a recomputation: the quarters of an hour from the rows, hours and local days from the quarters, so that a changed
-- flag of one reading does not read a day of rows. Sums are exact, so it is the same. Squares are products: numeric's power rounds.
WITH touched AS (
    SELECT DISTINCT u.datastream_id, date_bin('15 min', u.at, '2000-01-01Z') AS bucket, t.timezone, d.angle
      FROM unnest(%(datastreams)s::bigint[], %(times)s::timestamptz[]) AS u (datastream_id, at)
      JOIN datastream d ON d.id = u.datastream_id JOIN thing t ON t.id = d.thing_id
),
quarter AS (
    INSERT INTO aggregate (datastream_id, span, bucket, flag, n, numbers, sum, sum_squares, min, max, first_time, first_number, last_time,
                           last_number, sin_sum, cos_sum, ruleset_low, ruleset_high)
    SELECT b.datastream_id, 'quarter_hour', b.bucket, o.flag, count(*), count(o.number), coalesce(sum(o.number::text::numeric), 0),
           coalesce(sum(o.number::text::numeric * o.number::text::numeric), 0), min(o.number), max(o.number),
           min(o.phenomenon_time), (array_agg(o.number ORDER BY o.phenomenon_time, o.number))[1],
           max(o.phenomenon_time), (array_agg(o.number ORDER BY o.phenomenon_time DESC, o.number DESC))[1],
           sum(CASE WHEN b.angle THEN round(sind(o.number) * 1e6)::bigint END)::bigint,
           sum(CASE WHEN b.angle THEN round(cosd(o.number) * 1e6)::bigint END)::bigint, min(o.ruleset), max(o.ruleset)
      FROM touched b JOIN observation o
        ON o.datastream_id = b.datastream_id AND o.phenomenon_time >= b.bucket AND o.phenomenon_time < b.bucket + interval '15 min'
     WHERE NOT o.deleted  -- and no other chunks than these
       AND o.phenomenon_time >= (SELECT min(bucket) FROM touched)
       AND o.phenomenon_time < (SELECT max(bucket) FROM touched) + interval '15 min'
     GROUP BY b.datastream_id, b.bucket, o.flag
     ORDER BY b.datastream_id, b.bucket, o.flag
    RETURNING *
),
queued AS (
    INSERT INTO virtual_queue (datastream_id, quarter)
    SELECT v.datastream_id, t.bucket FROM touched t JOIN virtual_input v ON v.input_id = t.datastream_id
    UNION  -- what somebody took away there is computed again
    SELECT t.datastream_id, t.bucket FROM touched t JOIN virtual_datastream v USING (datastream_id)
),
coarse AS (
    SELECT DISTINCT datastream_id, 'hour'::aggregate_span AS span, date_trunc('hour', bucket, 'UTC') AS bucket, 'UTC' AS timezone FROM touched
    UNION ALL
    SELECT DISTINCT datastream_id, 'day'::aggregate_span, date_trunc('day', bucket, timezone), timezone FROM touched
),
part AS (
    SELECT c.span AS whole_span, c.bucket AS whole, a.*
      FROM coarse c JOIN aggregate a
        ON a.datastream_id = c.datastream_id AND a.span = 'quarter_hour' AND a.bucket >= c.bucket AND a.bucket < c.bucket + interval '26 hours'
       AND date_trunc(c.span::text, a.bucket, c.timezone) = c.bucket
    UNION ALL  -- what was just inserted, this statement does not see in the table
    SELECT c.span, c.bucket, q.*
      FROM coarse c JOIN quarter q
        ON q.datastream_id = c.datastream_id AND date_trunc(c.span::text, q.bucket, c.timezone) = c.bucket
)
INSERT INTO aggregate (datastream_id, span, bucket, flag, n, numbers, sum, sum_squares, min, max, first_time, first_number, last_time,
                       last_number, sin_sum, cos_sum, ruleset_low, ruleset_high)
SELECT datastream_id, whole_span, whole, flag, sum(n), sum(numbers), sum(sum), sum(sum_squares), min(min), max(max),
       min(first_time), (array_agg(first_number ORDER BY first_time))[1], max(last_time), (array_agg(last_number ORDER BY last_time DESC))[1],
       sum(sin_sum)::bigint, sum(cos_sum)::bigint, min(ruleset_low), max(ruleset_high)
  FROM part
 GROUP BY datastream_id, whole_span, whole, flag
 ORDER BY datastream_id, whole_span, whole, flag
