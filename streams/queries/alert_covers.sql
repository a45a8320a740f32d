-- Where evaluation of buckets begins: at the change, or where what lasted then began.
SELECT asked.key, least(asked.low, (extract(epoch FROM min(a.begins)) * 1000000)::bigint)
  FROM unnest(%(keys)s::int[], %(ids)s::bigint[], %(rules)s::text[], %(lows)s::bigint[]) AS asked (key, id, rule, low)
  LEFT JOIN alert a ON a.datastream = asked.id AND a.rule = asked.rule AND a.state <> 'withdrawn'
                   AND a.begins < 'epoch'::timestamptz + asked.low * interval '1 us'
                   AND coalesce(a.ends, 'infinity') >= 'epoch'::timestamptz + asked.low * interval '1 us'
 GROUP BY asked.key, asked.low
