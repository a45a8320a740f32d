-- Why readings were refused, and how many devices it concerns.
SELECT reason, sum(readings)::bigint AS refused, count(DISTINCT (tenant, device)) AS devices, max(received) AS newest
  FROM read.board_dead_letter
 WHERE $__timeFilter(received)
 GROUP BY reason
 ORDER BY refused DESC, reason
