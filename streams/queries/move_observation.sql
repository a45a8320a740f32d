-- The old place of an Observation whose key nobody can send again.
DELETE FROM observation
 WHERE datastream_id = %(datastream_id)s AND phenomenon_time = %(phenomenon_time)s AND discriminator = %(discriminator)s
