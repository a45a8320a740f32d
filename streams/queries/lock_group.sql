-- Datastreams of a group: while they are judged nobody writes rows to them.
SELECT id FROM datastream WHERE observed_property_id = %(property)s ORDER BY id FOR NO KEY UPDATE
