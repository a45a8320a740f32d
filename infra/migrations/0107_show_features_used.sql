-- Which Datastreams have Observations of a FeatureOfInterest: a reader of those looks at these Datastreams alone.
CREATE VIEW read.datastream_feature AS SELECT datastream_id, feature_id FROM datastream_feature;
