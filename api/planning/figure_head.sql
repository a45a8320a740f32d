-- A public Datastream and what its figures need to know of it. A place, an interval or a flag of another JSON type counts as absent.
SELECT d.id, coalesce(p.properties ->> 'key', p.name), d.unit_of_measurement ->> 'symbol', t.timezone, t.properties ->> 'country',
       CASE WHEN jsonb_typeof(d.properties -> 'interval_s') = 'number' AND (d.properties ->> 'interval_s')::numeric BETWEEN 0.001 AND 31622400
            THEN (d.properties ->> 'interval_s')::double precision END,
       coalesce(p.properties -> 'circular' = 'true', false), coalesce(p.properties -> 'averaged' <> 'false', true),
       d.properties ->> 'datum', d.name, d.unit_of_measurement ->> 'definition'
  FROM read.datastream d
  JOIN read.thing t ON t.id = d.thing_id
  JOIN read.observed_property p ON p.id = d.observed_property_id
 WHERE d.id = %(datastream)s AND t.public
