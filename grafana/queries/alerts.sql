-- Events that lasted within the range, those that still last first; an event that later readings took back is none.
SELECT a.rule || ':' || a.highest AS alert, d.station, coalesce(d.names ->> :language, d.property_name) AS property, a.begins, a.ends,
       a.acknowledged_at AS acknowledged
  FROM read.alert a
  JOIN read.board_datastream d USING (datastream_id)
 WHERE a.state <> 'withdrawn' AND a.begins <= $__timeTo() AND coalesce(a.ends, 'infinity') >= $__timeFrom()
   AND read.board_chosen(d.theme, ARRAY[${theme}]::text[]) AND read.board_chosen(d.municipality, ARRAY[${municipality}]::text[]) AND d.area = '${area}'
 ORDER BY a.ends DESC NULLS FIRST, a.begins DESC, d.station
 LIMIT 1000
