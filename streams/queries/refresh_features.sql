-- FeaturesOfInterest of the Datastreams as their Observations have them now; observedArea follows by a trigger.
WITH touched AS (
    SELECT datastream_id, feature_id,
           EXISTS (SELECT FROM observation o WHERE o.datastream_id = t.datastream_id AND o.feature_id = t.feature_id AND NOT o.deleted) AS used
      FROM unnest(%(datastreams)s::bigint[], %(features)s::bigint[]) AS t (datastream_id, feature_id)
),
gone AS (
    DELETE FROM datastream_feature f USING touched t
     WHERE NOT t.used AND f.datastream_id = t.datastream_id AND f.feature_id = t.feature_id
)
INSERT INTO datastream_feature (datastream_id, feature_id)
SELECT datastream_id, feature_id FROM touched WHERE used ORDER BY datastream_id, feature_id ON CONFLICT DO NOTHING
