-- Which tests accused how many readings, in the last day of the range: single verdicts stand in the readings alone.
SELECT v.test, count(*) FILTER (WHERE v.flag = 3) AS suspect, count(*) FILTER (WHERE v.flag = 4) AS failed,
       count(DISTINCT v.datastream_id) AS datastreams, max(v.phenomenon_time) AS newest
  FROM read.board_verdict v
  JOIN read.board_datastream d USING (datastream_id)
 WHERE v.phenomenon_time BETWEEN greatest($__timeFrom()::timestamptz, $__timeTo()::timestamptz - interval '1 day') AND $__timeTo()::timestamptz
   AND read.board_chosen(d.theme, ARRAY[${theme}]::text[]) AND read.board_chosen(d.municipality, ARRAY[${municipality}]::text[]) AND d.area = '${area}'
 GROUP BY v.test
 ORDER BY failed DESC, suspect DESC, v.test
