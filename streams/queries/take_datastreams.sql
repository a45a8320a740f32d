-- Datastreams for one writer alone: all others hold a weaker lock while they write rows.
SELECT id FROM datastream WHERE id = ANY (%(ids)s) ORDER BY id FOR UPDATE
