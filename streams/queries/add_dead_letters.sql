-- A message that was refused before under the same identity is the same letter.
INSERT INTO dead_letter (received, topic, payload, tenant, device, epoch, seq, reason, detail, refused, readings)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant, device, epoch, seq) WHERE seq IS NOT NULL DO NOTHING
