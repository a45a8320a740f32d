-- What decides whether a change is allowed: has the Datastream readings, or has any of the Thing.
SELECT EXISTS (
    SELECT FROM datastream d JOIN datastream_summary s ON s.datastream_id = d.id
     WHERE CASE %(entity_set)s WHEN 'Datastreams' THEN d.id = %(id)s WHEN 'MultiDatastreams' THEN d.id = %(id)s WHEN 'Things' THEN d.thing_id = %(id)s ELSE false END
)
