-- Where Observations are, before their Datastreams are locked.
SELECT DISTINCT datastream_id FROM observation WHERE id = ANY (%(ids)s) AND NOT deleted
