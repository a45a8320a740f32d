-- What a changed or deleted row may have been the border of.
UPDATE datastream_summary s
   SET end_time = b.end_time, result_first = b.result_first, result_last = b.result_last
  FROM (SELECT datastream_id, max(coalesce(phenomenon_end, phenomenon_time)) AS end_time, min(result_time) AS result_first,
               max(result_time) AS result_last
          FROM observation WHERE datastream_id = ANY (%(datastreams)s) AND NOT deleted GROUP BY datastream_id) AS b
 WHERE s.datastream_id = b.datastream_id
   AND (s.end_time, s.result_first, s.result_last) IS DISTINCT FROM (b.end_time, b.result_first, b.result_last)
