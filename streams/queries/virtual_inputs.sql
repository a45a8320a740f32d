-- The buckets asked for, and in each the readings of every input by flag, from its quarters of an hour: a day is local to the virtual
-- Datastream's Thing, whatever its inputs' time zones are.
WITH bucket AS (
    SELECT DISTINCT u.datastream_id,
           CASE u.span WHEN 'quarter_hour' THEN date_bin('15 min', u.quarter, '2000-01-01Z')
                       WHEN 'hour' THEN date_trunc('hour', u.quarter, 'UTC') ELSE date_trunc('day', u.quarter, u.timezone) END AS start,
           u.span, u.timezone
      FROM unnest(%(ids)s::bigint[], %(quarters)s::timestamptz[], %(spans)s::text[], %(timezones)s::text[]) AS u (datastream_id, quarter, span, timezone)
     WHERE u.quarter BETWEEN '0002-01-01Z' AND '9998-12-31Z'  -- a bucket's edges are dates that Python knows
),
whole AS (
    SELECT datastream_id, start, read.bucket_end(span::aggregate_span, start, timezone) AS until FROM bucket
)
SELECT w.datastream_id, w.start, w.until, v.input_id, a.flag, sum(a.numbers)::bigint, coalesce(sum(a.sum), 0), min(a.min), max(a.max), max(a.ruleset_high)
  FROM whole w
  LEFT JOIN virtual_input v ON v.datastream_id = w.datastream_id
  LEFT JOIN aggregate a ON a.datastream_id = v.input_id AND a.span = 'quarter_hour' AND a.bucket >= w.start AND a.bucket < w.until
 GROUP BY w.datastream_id, w.start, w.until, v.input_id, a.flag
 ORDER BY w.datastream_id, w.start
