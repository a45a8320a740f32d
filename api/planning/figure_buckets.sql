-- The buckets of a time range with what was due in each; the first is the one that `since` lies in, none begins in the future.
SELECT b, read.bucket_end(%(span)s::aggregate_span, b, %(timezone)s),
       CASE WHEN s.first_time IS NOT NULL
            THEN read.expected(%(span)s::aggregate_span, b, %(timezone)s, s.first_time, %(interval_s)s, coalesce(%(as_of)s, now())) END
  FROM generate_series(
           CASE WHEN %(span)s = 'quarter_hour' THEN date_bin('15 minutes', %(since)s, '2000-01-01Z')
                ELSE date_trunc(%(span)s, %(since)s, CASE WHEN %(span)s IN ('day', 'month') THEN %(timezone)s ELSE 'UTC' END) END,
           least(%(until)s, coalesce(%(as_of)s, now())),
           CASE %(span)s WHEN 'quarter_hour' THEN '15 minutes' WHEN 'hour' THEN '1 hour' WHEN 'day' THEN '1 day' ELSE '1 month' END::interval,
           CASE WHEN %(span)s IN ('day', 'month') THEN %(timezone)s ELSE 'UTC' END) AS b
  LEFT JOIN read.datastream_summary s ON s.datastream_id = %(datastream)s
 WHERE b < %(until)s
 ORDER BY b
