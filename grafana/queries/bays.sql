-- Bays with a sensor send on a change, so their latest state holds: the occupied share of those whose state is known.
SELECT count(*) FILTER (WHERE latest IN ('true', '1'))::double precision / nullif(count(*), 0) AS occupied, count(*) AS known
  FROM read.board_datastream
 WHERE property = 'occupied' AND latest IN ('true', 'false', '1', '0')
   AND read.board_chosen(municipality, ARRAY[${municipality}]::text[]) AND area = '${area}'
   AND ('${only_good}' = '0' OR latest_flag = 1)
