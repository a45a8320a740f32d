-- What a person changed is a revision, whether its bucket was closed or not.
INSERT INTO revision (at, cause, datastream_id, phenomenon_time, discriminator, observation_id, old, new)
VALUES (clock_timestamp(), %(cause)s, %(datastream_id)s, %(phenomenon_time)s, %(discriminator)s, %(id)s, %(old)s::jsonb, %(new)s::jsonb)
