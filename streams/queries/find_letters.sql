-- Dead letters by what is asked for, every one of them where nothing is; newest first, behind `before`, without their bytes.
SELECT id, received, topic, tenant, device, epoch, seq, reason, detail, readings, octet_length(payload) AS size
  FROM dead_letter
 WHERE (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s))
   AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s)
   AND (%(device)s::text IS NULL OR device = %(device)s)
   AND (%(reason)s::text IS NULL OR reason = %(reason)s)
   AND (%(since)s::timestamptz IS NULL OR received >= %(since)s)
   AND (%(until)s::timestamptz IS NULL OR received < %(until)s)
   AND (%(before)s::bigint IS NULL OR id < %(before)s)
 ORDER BY id DESC
 LIMIT %(most)s
