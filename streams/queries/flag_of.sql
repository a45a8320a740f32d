-- The verdict on a row, once all that follows from it is written.
SELECT flag FROM observation
 WHERE datastream_id = %(datastream_id)s AND phenomenon_time = %(phenomenon_time)s AND discriminator = %(discriminator)s
