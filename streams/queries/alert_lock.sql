-- An alert for one who changes it; `highest`: the highest level it ever had.
SELECT a.rule, t.tenant, a.number, a.state, a.begins, a.ends, a.level,
       greatest(a.highest, (SELECT max(level) FROM alert_transition WHERE alert = a.id)), a.value, a.acknowledged_by, a.note
  FROM alert a JOIN datastream d ON d.id = a.datastream JOIN thing t ON t.id = d.thing_id
 WHERE a.id = %(id)s
   FOR NO KEY UPDATE OF a
