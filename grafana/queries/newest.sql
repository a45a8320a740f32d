-- NULL, shown as "no data", before the first reading.
SELECT extract(epoch FROM now() - max(end_time))::double precision AS age
  FROM read.board_datastream
 WHERE read.board_chosen(theme, ARRAY[${theme}]::text[]) AND read.board_chosen(municipality, ARRAY[${municipality}]::text[]) AND area = '${area}'
