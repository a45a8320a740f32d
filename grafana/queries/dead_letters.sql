-- Counted in readings, as sent = stored + refused is (decisions.md 4).
SELECT coalesce(sum(readings), 0)::bigint AS refused FROM read.board_dead_letter WHERE $__timeFilter(received)
