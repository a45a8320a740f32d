-- When the values of each quarter of an hour were changed last after it was closed.
SELECT date_bin('15 minutes', phenomenon_time, '2000-01-01Z') AS quarter, max(at)
  FROM read.revised
 WHERE datastream_id = %(datastream)s AND phenomenon_time >= %(start)s AND phenomenon_time < %(end)s
 GROUP BY 1 ORDER BY 1
