-- New Locations of a Thing take the place of its old ones, and its history gets an entry (18-088, 8.2.2 and 8.2.3).
WITH pair AS (
    SELECT DISTINCT thing_id, location_id FROM jsonb_to_recordset(%(pairs)s::jsonb) AS p (thing_id bigint, location_id bigint)
), gone AS (
    DELETE FROM thing_location tl
     WHERE tl.thing_id IN (SELECT thing_id FROM pair)
       AND NOT EXISTS (SELECT FROM pair p WHERE p.thing_id = tl.thing_id AND p.location_id = tl.location_id)
), added AS (
    INSERT INTO thing_location (thing_id, location_id) SELECT thing_id, location_id FROM pair ON CONFLICT DO NOTHING
), history AS (
    INSERT INTO historical_location (time, thing_id)
    SELECT DISTINCT %(now)s::timestamptz, thing_id FROM pair RETURNING id, thing_id
)
INSERT INTO historical_location_location (historical_location_id, location_id)
SELECT h.id, p.location_id FROM history h JOIN pair p USING (thing_id)
