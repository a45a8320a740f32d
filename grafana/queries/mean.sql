-- The mean of each Datastream per bucket, from sums, so that it is the mean of readings and not of means.
SELECT $__time(a.bucket), d.label AS metric, (sum(a.sum) / nullif(sum(a.numbers), 0))::double precision AS value
  FROM read.board_aggregate a
  JOIN (:labelled) d USING (datastream_id)
 WHERE a.span = read.board_span($__unixEpochTo() - $__unixEpochFrom())
   AND $__timeFilter(a.bucket)
   AND ('${only_good}' = '0' OR a.flag = 1)
 GROUP BY 1, 2
HAVING sum(a.numbers) > 0
 ORDER BY 1, 2
