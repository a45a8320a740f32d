-- The oldest queued quarter hours of a group.
DELETE FROM neighbour_queue
 WHERE property_id = %(property)s
   AND slot IN (SELECT slot FROM neighbour_queue WHERE property_id = %(property)s ORDER BY slot LIMIT %(most)s)
RETURNING (extract(epoch FROM slot) * 1000000)::bigint
