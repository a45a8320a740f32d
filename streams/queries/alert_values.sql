-- Usable values around a change, mirrored so that more is worse: from the last one before it to the first one behind it that lie below
-- all levels. There nothing lasts, whatever came before, so the events between them depend on these values alone.
-- Of several values at one time the worst counts.
SELECT asked.key, (extract(epoch FROM since.at) * 1000000)::bigint, (extract(epoch FROM until.at) * 1000000)::bigint, found.times, found.worst
  FROM (SELECT key, id, 'epoch'::timestamptz + low * interval '1 us' AS low, 'epoch'::timestamptz + high * interval '1 us' AS high, clear, sign
          FROM unnest(%(keys)s::int[], %(ids)s::bigint[], %(lows)s::bigint[], %(highs)s::bigint[], %(clears)s::float8[], %(signs)s::float8[])
            AS u (key, id, low, high, clear, sign)) AS asked
  LEFT JOIN LATERAL (
       SELECT o.phenomenon_time AS at FROM observation o
        WHERE o.datastream_id = asked.id AND o.phenomenon_time < asked.low AND NOT o.deleted AND o.flag < 3 AND o.number * asked.sign < asked.clear
          AND NOT EXISTS (SELECT FROM observation p WHERE p.datastream_id = asked.id AND p.phenomenon_time = o.phenomenon_time
                             AND NOT p.deleted AND p.flag < 3 AND p.number * asked.sign >= asked.clear)
        ORDER BY o.phenomenon_time DESC LIMIT 1) AS since ON true
  LEFT JOIN LATERAL (
       SELECT o.phenomenon_time AS at FROM observation o
        WHERE o.datastream_id = asked.id AND o.phenomenon_time >= asked.high AND NOT o.deleted AND o.flag < 3 AND o.number * asked.sign < asked.clear
          AND NOT EXISTS (SELECT FROM observation p WHERE p.datastream_id = asked.id AND p.phenomenon_time = o.phenomenon_time
                             AND NOT p.deleted AND p.flag < 3 AND p.number * asked.sign >= asked.clear)
        ORDER BY o.phenomenon_time LIMIT 1) AS until ON true
 CROSS JOIN LATERAL (
       SELECT array_agg(us ORDER BY us) AS times, array_agg(worst ORDER BY us) AS worst
         FROM (SELECT (extract(epoch FROM o.phenomenon_time) * 1000000)::bigint AS us, max(o.number * asked.sign) AS worst
                 FROM observation o
                WHERE o.datastream_id = asked.id AND o.phenomenon_time >= coalesce(since.at, '-infinity')
                  AND o.phenomenon_time <= coalesce(until.at, 'infinity') AND NOT o.deleted AND o.flag < 3 AND o.number IS NOT NULL
                GROUP BY o.phenomenon_time) AS each) AS found
