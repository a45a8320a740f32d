-- The FeatureOfInterest of the Things of these Datastreams, where their Location has had none so far (18-088, 10.2.1.2).
SELECT feature_of_thing(thing_id) FROM (SELECT DISTINCT thing_id FROM datastream WHERE id = ANY (%(ids)s)) AS things ORDER BY thing_id
