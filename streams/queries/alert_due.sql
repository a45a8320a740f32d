-- Datastreams that may be silent for too long.
SELECT datastream, (extract(epoch FROM coalesce(ended, due_at)) * 1000000)::bigint
  FROM alert_progress WHERE due_at < clock_timestamp() ORDER BY due_at LIMIT %(most)s
