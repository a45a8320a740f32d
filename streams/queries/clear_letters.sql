-- Letters of messages that came again and of which nothing is refused any more: what they kept has just been stored.
DELETE FROM dead_letter l
 USING unnest(%(tenants)s::text[], %(devices)s::text[], %(epochs)s::bigint[], %(lows)s::bigint[], %(highs)s::bigint[])
       AS u (tenant, device, epoch, low, high)
 WHERE l.tenant = u.tenant AND l.device = u.device AND l.epoch = u.epoch AND l.seq BETWEEN u.low AND u.high
