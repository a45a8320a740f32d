-- Letters of messages that came again and of which nothing is refused any more: what they kept has just been stored. A message that
-- has a letter is in its device's receipt, so the letters are looked at only where something came again.
WITH again AS MATERIALIZED (
    SELECT u.*
      FROM unnest(%(tenants)s::text[], %(devices)s::text[], %(epochs)s::bigint[], %(lows)s::bigint[], %(highs)s::bigint[])
           AS u (tenant, device, epoch, low, high)
      JOIN receipt r ON r.tenant = u.tenant AND r.device = u.device AND r.epoch = u.epoch
     WHERE r.runs && int8range(u.low, u.high, '[]')
)
DELETE FROM dead_letter l
 USING again u
 WHERE l.tenant = u.tenant AND l.device = u.device AND l.epoch = u.epoch AND l.seq BETWEEN u.low AND u.high AND l.seq IS NOT NULL
