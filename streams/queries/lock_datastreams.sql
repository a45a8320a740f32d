-- Datastreams of the batch cannot be deleted before it commits: no reading without its Datastream.
SELECT id FROM datastream WHERE id = ANY (%(ids)s) ORDER BY id FOR KEY SHARE
