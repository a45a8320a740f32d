-- Rows around time spans of Datastreams, for judging in context. Asked are the first and the last time of each span (microseconds) and
-- how far its tests look: `ahead` rows before it are judged again and need their own `history` seconds and `back` rows.
SELECT o.datastream_id, (extract(epoch FROM o.phenomenon_time) * 1000000)::bigint, o.discriminator, o.number, o.tests, o.flag, o.ruleset,
       o.number IS NULL AND o.result IS NULL, o.phenomenon_time > o.received + %(future)s::interval, o.deleted
  FROM (SELECT id, 'epoch'::timestamptz + low * interval '1 us' AS low, 'epoch'::timestamptz + high * interval '1 us' AS high,
               history, back, ahead
          FROM unnest(%(ids)s::bigint[], %(low)s::bigint[], %(high)s::bigint[], %(history)s::interval[], %(back)s::int[], %(ahead)s::int[])
            AS u (id, low, high, history, back, ahead)) AS asked
 CROSS JOIN LATERAL (
       SELECT coalesce((SELECT phenomenon_time FROM observation
                         WHERE datastream_id = asked.id AND phenomenon_time < low AND NOT deleted
                         ORDER BY phenomenon_time DESC, discriminator DESC OFFSET greatest(ahead - 1, 0) LIMIT 1), low) - history AS since) AS reach
 CROSS JOIN LATERAL (
       SELECT * FROM observation WHERE datastream_id = asked.id AND phenomenon_time BETWEEN since AND high + history
       UNION ALL
       (SELECT * FROM observation WHERE datastream_id = asked.id AND phenomenon_time < since AND NOT deleted
         ORDER BY phenomenon_time DESC, discriminator DESC LIMIT back)
       UNION ALL
       (SELECT * FROM observation WHERE datastream_id = asked.id AND phenomenon_time > high + history AND NOT deleted
         ORDER BY phenomenon_time, discriminator LIMIT back + ahead + 1)) AS o
