-- Datastreams of the batch, some of whose rows are judged among each other: one writer at a time, and nobody deletes them.
SELECT id FROM datastream WHERE id = ANY (%(ids)s) ORDER BY id FOR NO KEY UPDATE
