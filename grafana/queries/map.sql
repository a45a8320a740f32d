-- One point per station with its latest values; its flag is the worst of them, 0 when it is silent.
SELECT station, theme, lat AS latitude, lon AS longitude,
       CASE WHEN bool_or(reporting) THEN max(latest_flag) FILTER (WHERE reporting) ELSE 0 END::integer AS flag,
       string_agg(coalesce(names ->> :language, property_name) || ' ' || latest || coalesce(' ' || coalesce(symbols ->> :language, unit), ''), ', ' ORDER BY datastream_id) AS latest,
       max(end_time) AS newest
  FROM read.board_datastream
 WHERE lat IS NOT NULL AND end_time IS NOT NULL
   AND read.board_chosen(theme, ARRAY[${theme}]::text[]) AND read.board_chosen(municipality, ARRAY[${municipality}]::text[]) AND area = '${area}'
   AND ('${only_good}' = '0' OR latest_flag = 1)
 GROUP BY thing_id, station, theme, lat, lon
 ORDER BY station
