-- Observations that go with their FeatureOfInterest.
SELECT * FROM observation WHERE datastream_id = ANY (%(datastreams)s) AND feature_id = %(feature)s AND NOT deleted
 ORDER BY datastream_id, phenomenon_time, discriminator FOR UPDATE
