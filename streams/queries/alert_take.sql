-- Oldest changes that nobody has looked at, by Datastream: first and end of the last quarter of an hour, whether closed figures changed.
WITH taken AS (
    DELETE FROM alert_queue WHERE id IN (SELECT id FROM alert_queue ORDER BY id LIMIT %(most)s) RETURNING *
)
SELECT u.datastream, (extract(epoch FROM min(u.low)) * 1000000)::bigint, (extract(epoch FROM max(u.high) + interval '15 min') * 1000000)::bigint,
       bool_or(t.recomputed AND u.high + interval '15 min' + %(grace)s::interval < t.queued), min(t.queued)
  FROM taken t, unnest(t.datastreams, t.lows, t.highs) AS u (datastream, low, high)
 GROUP BY u.datastream
