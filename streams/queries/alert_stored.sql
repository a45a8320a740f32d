-- Alerts that begin within spans; whoever acknowledges one of them waits.
SELECT asked.key, a.id, a.rule_version, a.begins, a.ends, a.state, a.level, a.highest, a.value, a.value_at, a.number,
       greatest(a.highest, (SELECT max(level) FROM alert_transition WHERE alert = a.id))
  FROM unnest(%(keys)s::int[], %(ids)s::bigint[], %(rules)s::text[], %(lows)s::bigint[], %(highs)s::bigint[]) AS asked (key, id, rule, low, high)
  JOIN alert a ON a.datastream = asked.id AND a.rule = asked.rule
              AND a.begins >= coalesce('epoch'::timestamptz + asked.low * interval '1 us', '-infinity')
              AND a.begins <= coalesce('epoch'::timestamptz + asked.high * interval '1 us', 'infinity')
 ORDER BY a.id
   FOR NO KEY UPDATE OF a
