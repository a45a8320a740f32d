-- Moving Things of the batch: the first position of each 30 s and the newest of all (infra/migrations/0006).
WITH positions AS (
    SELECT d.thing_id, s.phenomenon_time, s.lon, s.lat, s.height,
           row_number() OVER (PARTITION BY d.thing_id, date_bin('30 s', s.phenomenon_time, '2000-01-01Z') ORDER BY s.phenomenon_time) AS in_slot,
           row_number() OVER (PARTITION BY d.thing_id ORDER BY s.phenomenon_time DESC) AS from_end
      FROM stage s JOIN datastream d ON d.id = s.datastream_id
     WHERE s.lon BETWEEN -180 AND 180 AND s.lat BETWEEN -90 AND 90 AND d.id = ANY (%(moving)s)
)
SELECT follow(thing_id, phenomenon_time, lon, lat, height) FROM positions WHERE in_slot = 1 OR from_end = 1
