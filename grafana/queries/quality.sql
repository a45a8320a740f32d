-- Per bucket, of Datastreams with an interval: the share of the readings due that came, and the share of flag 1 among those that came.
WITH span AS (SELECT read.board_span($__unixEpochTo() - $__unixEpochFrom()) AS span),
wanted AS (
    SELECT datastream_id, timezone, first_time, interval_s FROM read.board_datastream
     WHERE :shown AND first_time <= $__timeTo()::timestamptz
       AND read.board_chosen(municipality, ARRAY[${municipality}]::text[]) AND area = '${area}'
),
got AS (
    SELECT a.datastream_id, a.bucket, sum(a.n) AS n, sum(a.n) FILTER (WHERE a.flag = 1) AS good
      FROM read.board_aggregate a JOIN wanted USING (datastream_id)
     WHERE a.span = read.board_span($__unixEpochTo() - $__unixEpochFrom()) AND $__timeFilter(a.bucket)
     GROUP BY 1, 2
),
due AS (
    SELECT w.datastream_id, b.bucket, read.board_due(s.span, w.timezone, w.first_time, w.interval_s, b.bucket, b.bucket) AS due
      FROM span s
     CROSS JOIN (SELECT DISTINCT timezone FROM wanted) z
     CROSS JOIN LATERAL read.board_bucket(s.span, z.timezone, $__timeFrom()::timestamptz, $__timeTo()::timestamptz) AS b (bucket)
      JOIN wanted w USING (timezone)
)
SELECT $__time(bucket),
       sum(least(coalesce(n, 0), due)) FILTER (WHERE due > 0) / nullif(sum(due) FILTER (WHERE due > 0), 0) AS completeness,
       (sum(good) / nullif(sum(n), 0))::double precision AS good
  FROM due FULL JOIN got USING (datastream_id, bucket)
 GROUP BY 1
HAVING sum(due) > 0 OR sum(n) > 0
 ORDER BY 1
