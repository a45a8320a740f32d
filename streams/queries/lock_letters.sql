-- Letters that are asked for, locked: what is counted is what is dropped next.
SELECT id, readings
  FROM dead_letter
 WHERE (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s))
   AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
   AND (%(device)s::text IS NULL OR device = %(device)s)
   AND (%(reason)s::text IS NULL OR reason = %(reason)s)
   AND (%(since)s::timestamptz IS NULL OR received >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR received < %(until)s)
 ORDER BY id
 FOR UPDATE
