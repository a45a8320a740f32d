-- Quarter hours with rows that look at a reading of a neighbouring station: those within `within` of it, before and behind.
INSERT INTO neighbour_queue (property_id, slot)
SELECT DISTINCT property_id, slot
  FROM unnest(%(properties)s::bigint[], %(times)s::timestamptz[], %(within)s::interval[]) AS u (property_id, at, within),
       generate_series(date_bin('15 min', at - within, '2000-01-01Z'), at + within, interval '15 min') AS slot
 ORDER BY property_id, slot
ON CONFLICT DO NOTHING
