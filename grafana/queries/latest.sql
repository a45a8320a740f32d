-- The latest value of every Datastream, the oldest last.
SELECT station, municipality, theme, coalesce(names ->> :language, property_name) AS property, latest, coalesce(symbols ->> :language, unit) AS unit, latest_flag::integer AS flag, source,
       end_time AS newest
  FROM read.board_datastream
 WHERE end_time IS NOT NULL
   AND read.board_chosen(theme, ARRAY[${theme}]::text[]) AND read.board_chosen(municipality, ARRAY[${municipality}]::text[]) AND area = '${area}'
   AND ('${only_good}' = '0' OR latest_flag = 1)
 ORDER BY end_time DESC, station, datastream_id
 LIMIT 2000
