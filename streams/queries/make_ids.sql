-- Ids before insertion: an Observation posted over HTTP is its own discriminator, and its URL is the answer.
SELECT observation_id(at) FROM unnest(%(times)s::timestamptz[]) WITH ORDINALITY AS u (at, place) ORDER BY place
