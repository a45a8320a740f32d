-- What there is to tell of transitions: the alert as it was after each, so that a message that is sent again is the same.
SELECT m.alert, m.number, n.kind, a.rule, n.level, n.state, n.begins, n.ends, n.value, a.unit, a.thing_id, a.thing, a.datastream_id, a.datastream,
       a.property, n.cause, n.at, a.tenant, a.device, a.timezone, a.thing_names, a.names
  FROM unnest(%(alerts)s::bigint[], %(numbers)s::int[]) WITH ORDINALITY AS m (alert, number, place)
  JOIN alert_transition n ON (n.alert, n.number) = (m.alert, m.number)
  JOIN read.alert a ON a.id = m.alert
 ORDER BY m.place
