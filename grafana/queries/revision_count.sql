-- How many values changed in the range after their quarter of an hour had been closed.
SELECT count(*) AS revisions, count(DISTINCT (r.datastream_id, r.bucket)) AS buckets
  FROM read.board_revised r
  JOIN read.board_datastream d USING (datastream_id)
 WHERE $__timeFilter(r.at)
   AND read.board_chosen(d.theme, ARRAY[${theme}]::text[]) AND read.board_chosen(d.municipality, ARRAY[${municipality}]::text[]) AND d.area = '${area}'
