-- Buckets that are over: a reading lies behind them. Start, end and local year; usable numbers and their sum; readings, and the bad ones.
SELECT asked.key, (extract(epoch FROM b.start) * 1000000)::bigint, extract(year FROM b.start AT TIME ZONE t.timezone)::bigint,
       coalesce(sum(a.numbers) FILTER (WHERE a.flag < 3), 0)::bigint, coalesce(sum(a.sum) FILTER (WHERE a.flag < 3), 0),
       sum(a.n)::bigint, coalesce(sum(a.n) FILTER (WHERE a.flag IN (3, 4)), 0)::bigint
  FROM unnest(%(keys)s::int[], %(ids)s::bigint[], %(spans)s::text[], %(lows)s::bigint[]) AS asked (key, id, span, low)
  JOIN datastream d ON d.id = asked.id
  JOIN thing t ON t.id = d.thing_id
  JOIN datastream_summary s ON s.datastream_id = asked.id
  JOIN aggregate a ON a.datastream_id = asked.id AND a.span = (CASE asked.span WHEN 'year' THEN 'day' ELSE asked.span END)::aggregate_span
                  AND a.bucket >= 'epoch'::timestamptz + asked.low * interval '1 us'
 CROSS JOIN LATERAL (SELECT CASE asked.span WHEN 'year' THEN date_trunc('year', a.bucket, t.timezone) ELSE a.bucket END AS start) AS b
 WHERE CASE asked.span WHEN 'year' THEN (date_trunc('year', b.start AT TIME ZONE t.timezone) + interval '1 year') AT TIME ZONE t.timezone
                       ELSE read.bucket_end(asked.span::aggregate_span, b.start, t.timezone) END <= s.end_time
 GROUP BY asked.key, b.start, t.timezone
 ORDER BY asked.key, b.start
