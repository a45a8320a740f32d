-- Datastreams with Observations of a FeatureOfInterest.
SELECT datastream_id FROM datastream_feature WHERE feature_id = %(feature)s ORDER BY datastream_id
