-- The FeatureOfInterest of Things whose Location has had none so far.
SELECT feature_of_thing(id) FROM unnest(%(things)s::bigint[]) AS id ORDER BY id
