-- Where a new HistoricalLocation is its Thing's newest, its Locations are the Thing's current ones (18-088, 8.2.3).
WITH newest AS (
    SELECT DISTINCT ON (thing_id) id, thing_id FROM historical_location
     WHERE thing_id IN (SELECT thing_id FROM historical_location WHERE id = ANY (%(ids)s))
     ORDER BY thing_id, time DESC, id DESC
), latest AS (
    SELECT n.thing_id, l.location_id FROM newest n
      JOIN historical_location_location l ON l.historical_location_id = n.id
     WHERE n.id = ANY (%(ids)s)
), gone AS (
    DELETE FROM thing_location tl
     WHERE tl.thing_id IN (SELECT thing_id FROM latest)
       AND NOT EXISTS (SELECT FROM latest k WHERE k.thing_id = tl.thing_id AND k.location_id = tl.location_id)
)
INSERT INTO thing_location (thing_id, location_id) SELECT thing_id, location_id FROM latest ON CONFLICT DO NOTHING
