-- The next whole letters behind `after`; `version` tells later whether somebody changed one meanwhile.
SELECT id, received, topic, tenant, device, epoch, seq, reason, detail, readings, octet_length(payload) AS size, payload, refused, marked, xmin::text AS version
  FROM dead_letter
 WHERE (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s))
   AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
   AND (%(device)s::text IS NULL OR device = %(device)s)
   AND (%(reason)s::text IS NULL OR reason = %(reason)s)
   AND (%(since)s::timestamptz IS NULL OR received >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR received < %(until)s)
   AND id > %(after)s
 ORDER BY id
 LIMIT %(most)s
