-- The Datastreams of some properties, each with a label that no other has: the station, and what tells its Datastreams apart.
SELECT *, station
          || CASE WHEN count(*) OVER (PARTITION BY thing_id) > 1 THEN ' · ' || coalesce(names ->> :language, property_name) ELSE '' END
          || CASE WHEN count(*) OVER (PARTITION BY station, coalesce(names ->> :language, property_name)) > 1 THEN ' · ' || name || ' ' || datastream_id ELSE '' END
          || coalesce(' (' || (properties ->> 'datum') || ')', '') AS label
  FROM read.board_datastream
 WHERE property IN (:properties) AND comparable AND read.board_chosen(municipality, ARRAY[${municipality}]::text[]) AND area = '${area}'
