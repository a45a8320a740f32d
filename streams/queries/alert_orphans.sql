-- Alerts that last although their rule does not watch the Datastream any more.
SELECT a.datastream, a.rule, a.id, a.rule_version, a.begins, a.ends, a.state, a.level, a.highest, a.value, a.value_at, a.number,
       greatest(a.highest, (SELECT max(level) FROM alert_transition WHERE alert = a.id))
  FROM alert a
 WHERE a.datastream = ANY (%(ids)s) AND a.state = 'raised'
   AND NOT EXISTS (SELECT FROM unnest(%(watched)s::bigint[], %(rules)s::text[]) AS u (id, rule) WHERE u.id = a.datastream AND u.rule = a.rule)
 ORDER BY a.id
   FOR NO KEY UPDATE OF a
