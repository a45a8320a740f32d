-- Somebody has seen an alert.
UPDATE alert
   SET acknowledged_at = clock_timestamp(), acknowledged_by = %(by)s, note = %(note)s, number = %(number)s, changed_at = clock_timestamp()
 WHERE id = %(id)s
