-- A station reports when one of its Datastreams does; one that never sent is silent too.
SELECT count(*) FILTER (WHERE reporting) AS reporting, count(*) FILTER (WHERE NOT reporting) AS silent
  FROM (SELECT thing_id, bool_or(reporting) AS reporting FROM read.board_datastream
         WHERE read.board_chosen(theme, ARRAY[${theme}]::text[]) AND read.board_chosen(municipality, ARRAY[${municipality}]::text[]) AND area = '${area}'
         GROUP BY thing_id) s
