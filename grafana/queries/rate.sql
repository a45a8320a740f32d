-- Counts per interval as counts per hour: the mean count of the readings that came, so that a gap does not look like less traffic.
SELECT $__time(a.bucket), d.label AS metric, (sum(a.sum) / nullif(sum(a.numbers), 0))::double precision * 3600 / d.interval_s AS value
  FROM read.board_aggregate a
  JOIN (:labelled) d USING (datastream_id)
 WHERE a.span = read.board_span($__unixEpochTo() - $__unixEpochFrom())
   AND $__timeFilter(a.bucket)
   AND d.interval_s IS NOT NULL
   AND ('${only_good}' = '0' OR a.flag = 1)
 GROUP BY 1, 2, d.interval_s
HAVING sum(a.numbers) > 0
 ORDER BY 1, 2
