-- Observations that are about to be deleted.
SELECT * FROM observation WHERE id = ANY (%(ids)s) AND NOT deleted ORDER BY datastream_id, phenomenon_time, discriminator FOR UPDATE
