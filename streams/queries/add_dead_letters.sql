-- Messages without identity, or of none: the same bytes under the same stamp of the bridge are the same letter.
INSERT INTO dead_letter (received, topic, payload, tenant, device, epoch, seq, reason, detail, refused, readings, marked, digest)
VALUES (%(received)s, %(topic)s, %(payload)s, %(tenant)s, %(device)s, NULL, NULL, %(reason)s, %(detail)s, %(refused)s, %(readings)s, %(marked)s, %(digest)s)
ON CONFLICT (received, digest) WHERE seq IS NULL AND digest IS NOT NULL DO NOTHING
