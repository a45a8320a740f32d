-- What rules ask of Datastreams; of all that have readings where `ids` is NULL.
SELECT d.id, coalesce(p.properties ->> 'key', p.name, ''), coalesce(d.unit_of_measurement ->> 'definition', ''), t.timezone,
       coalesce(d.properties, '{}'), coalesce(t.properties, '{}'), t.tenant, g.watches
  FROM datastream d
  JOIN thing t ON t.id = d.thing_id
  LEFT JOIN observed_property p ON p.id = d.observed_property_id
  LEFT JOIN alert_progress g ON g.datastream = d.id
 WHERE CASE WHEN %(ids)s::bigint[] IS NULL THEN EXISTS (SELECT FROM datastream_summary s WHERE s.datastream_id = d.id)
            ELSE d.id = ANY (%(ids)s) END
