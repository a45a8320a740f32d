-- Aggregates of one Datastream by flag; which of the four runs is known before.
SELECT bucket, flag, n, numbers, sum::text, min, max, sin_sum, cos_sum, ruleset_low, ruleset_high
  FROM read.aggregate_quarter_hour
 WHERE %(span)s = 'quarter_hour' AND datastream_id = %(datastream)s AND bucket >= %(start)s AND bucket < %(end)s
UNION ALL
SELECT bucket, flag, n, numbers, sum::text, min, max, sin_sum, cos_sum, ruleset_low, ruleset_high
  FROM read.aggregate_hour
 WHERE %(span)s = 'hour' AND datastream_id = %(datastream)s AND bucket >= %(start)s AND bucket < %(end)s
UNION ALL
SELECT bucket, flag, n, numbers, sum::text, min, max, sin_sum, cos_sum, ruleset_low, ruleset_high
  FROM read.aggregate_day
 WHERE %(span)s = 'day' AND datastream_id = %(datastream)s AND bucket >= %(start)s AND bucket < %(end)s
UNION ALL
SELECT bucket, flag, n, numbers, sum::text, min, max, sin_sum, cos_sum, ruleset_low, ruleset_high
  FROM read.aggregate_month
 WHERE %(span)s = 'month' AND datastream_id = %(datastream)s AND bucket >= %(start)s AND bucket < %(end)s
 ORDER BY bucket, flag
