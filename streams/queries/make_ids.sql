-- Ids before insertion: an Observation posted over HTTP is its own discriminator, and its URL is the answer.
-- `days` are those since 1970 on which they are, as one text: a driver's array of times costs more than the rest.
SELECT array_agg(observation_id('epoch'::timestamptz + day * interval '1 day') ORDER BY place)
  FROM unnest(%(days)s::bigint[]) WITH ORDINALITY AS u (day, place)
