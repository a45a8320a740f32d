-- Take a partition: waits for a transaction of the former owner that is still in flight, and fences every later one.
INSERT INTO ledger AS l (incarnation, topic, partition, next_offset, epoch, owner)
VALUES (%(incarnation)s, %(topic)s, %(partition)s, 0, 1, %(owner)s)
ON CONFLICT (incarnation, topic, partition) DO UPDATE SET epoch = l.epoch + 1, owner = EXCLUDED.owner
RETURNING next_offset, epoch
