-- The batch's first statement: the ledger moves on only from where the batch starts, and only for the partition's newest owner.
UPDATE ledger SET next_offset = %(end)s
 WHERE incarnation = %(incarnation)s AND topic = %(topic)s AND partition = %(partition)s
   AND next_offset = %(start)s AND epoch = %(epoch)s
