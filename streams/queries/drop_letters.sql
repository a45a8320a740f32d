-- Letters go for good; what they were, and who wanted it, stays: sent = stored + refused + dropped.
WITH gone AS (
    DELETE FROM dead_letter WHERE id = ANY (%(ids)s) RETURNING id, tenant, device, epoch, seq, topic, received, reason, readings, digest
)
INSERT INTO intervention (who, what, tenant, device, readings, detail)
SELECT %(who)s, 'drop', tenant, device, readings,
       jsonb_build_object('letter', id, 'epoch', epoch, 'seq', seq, 'topic', topic, 'received', received, 'reason', reason, 'digest', encode(digest, 'hex'))
  FROM gone
