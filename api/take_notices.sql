-- The oldest notices with their ages in seconds, as many as fit memory: one names up to a batch of Observations.
-- Not locked: of two notifiers both tell, which "at least once" allows.
SELECT id, greatest(0, extract(epoch FROM now() - made))::float8, entity, number, changed, payload
  FROM (SELECT *, sum(coalesce(octet_length(payload), 20)) OVER (ORDER BY id) - coalesce(octet_length(payload), 20) AS before
          FROM (SELECT * FROM notice ORDER BY id LIMIT 500) AS oldest) AS summed
 WHERE before < 250000 ORDER BY id
