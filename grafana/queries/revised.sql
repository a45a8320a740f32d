-- Values that changed in the range after their quarter of an hour had been closed, the latest change first.
SELECT max(r.at) AS changed, d.station, coalesce(d.names ->> :language, d.property_name) AS property, r.bucket, count(*) AS revisions, r.cause
  FROM read.board_revised r
  JOIN read.board_datastream d USING (datastream_id)
 WHERE $__timeFilter(r.at)
   AND read.board_chosen(d.theme, ARRAY[${theme}]::text[]) AND read.board_chosen(d.municipality, ARRAY[${municipality}]::text[]) AND d.area = '${area}'
 GROUP BY d.datastream_id, d.station, d.names, d.property_name, r.bucket, r.cause
 ORDER BY changed DESC, d.station, r.bucket
 LIMIT 1000
