-- Datastreams whose Thing has no Location: their Observations must name a FeatureOfInterest (18-088, 10.2.1.2).
SELECT d.id FROM datastream d
 WHERE d.id = ANY (%(ids)s) AND NOT EXISTS (SELECT FROM thing_location tl WHERE tl.thing_id = d.thing_id)
