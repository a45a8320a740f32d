-- Times of readings around a change: from the last one before it to the first one behind it.
SELECT asked.key, (extract(epoch FROM since.at) * 1000000)::bigint, (extract(epoch FROM until.at) * 1000000)::bigint, found.times
  FROM (SELECT key, id, 'epoch'::timestamptz + low * interval '1 us' AS low, 'epoch'::timestamptz + high * interval '1 us' AS high
          FROM unnest(%(keys)s::int[], %(ids)s::bigint[], %(lows)s::bigint[], %(highs)s::bigint[]) AS u (key, id, low, high)) AS asked
  LEFT JOIN LATERAL (SELECT o.phenomenon_time AS at FROM observation o
                      WHERE o.datastream_id = asked.id AND o.phenomenon_time < asked.low AND NOT o.deleted
                      ORDER BY o.phenomenon_time DESC LIMIT 1) AS since ON true
  LEFT JOIN LATERAL (SELECT o.phenomenon_time AS at FROM observation o
                      WHERE o.datastream_id = asked.id AND o.phenomenon_time >= asked.high AND NOT o.deleted
                      ORDER BY o.phenomenon_time LIMIT 1) AS until ON true
 CROSS JOIN LATERAL (
       SELECT array_agg(DISTINCT (extract(epoch FROM o.phenomenon_time) * 1000000)::bigint) AS times
         FROM observation o
        WHERE o.datastream_id = asked.id AND o.phenomenon_time >= coalesce(since.at, '-infinity')
          AND o.phenomenon_time <= coalesce(until.at, 'infinity') AND NOT o.deleted) AS found
