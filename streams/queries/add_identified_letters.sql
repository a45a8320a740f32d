-- A message that comes again is refused once. What was stored, replayed or dropped before gets no letter any more (its receipt has
-- it), and of a letter that is there only less may be left, because a device or channel was registered meanwhile.
INSERT INTO dead_letter AS l (received, topic, payload, tenant, device, epoch, seq, reason, detail, refused, readings, marked, digest)
SELECT %(received)s, %(topic)s, %(payload)s, %(tenant)s, %(device)s, %(epoch)s, %(seq)s, %(reason)s, %(detail)s, %(refused)s, %(readings)s,
       %(marked)s, %(digest)s
 WHERE EXISTS (SELECT FROM dead_letter d WHERE (d.tenant, d.device, d.epoch, d.seq) = (%(tenant)s, %(device)s, %(epoch)s::bigint, %(seq)s::bigint))
    OR NOT EXISTS (SELECT FROM receipt r
                    WHERE (r.tenant, r.device, r.epoch) = (%(tenant)s, %(device)s, %(epoch)s::bigint) AND r.runs @> %(seq)s::bigint)
ON CONFLICT (tenant, device, epoch, seq) WHERE seq IS NOT NULL
DO UPDATE SET reason = EXCLUDED.reason, detail = EXCLUDED.detail, refused = EXCLUDED.refused, readings = EXCLUDED.readings
 WHERE EXCLUDED.refused IS NOT NULL AND (l.refused IS NULL OR EXCLUDED.readings < l.readings)
