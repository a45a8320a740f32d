-- Why the guard found nothing to move.
SELECT next_offset, epoch FROM ledger
 WHERE incarnation = %(incarnation)s AND topic = %(topic)s AND partition = %(partition)s
