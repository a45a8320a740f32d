-- What is told of transitions, in the order of the outbox.
SELECT asked.outbox, a.tenant, a.device, a.public, a.thing_id, a.thing, a.datastream_id, a.datastream,
       a.id, s.number, s.kind, a.rule, s.level, s.state, s.begins, s.ends, s.value, a.unit, a.property, s.cause, s.at
  FROM unnest(%(outbox)s::bigint[], %(alerts)s::bigint[], %(numbers)s::int[]) AS asked (outbox, alert, number)
  JOIN alert_transition s ON s.alert = asked.alert AND s.number = asked.number
  JOIN read.alert a ON a.id = asked.alert
 ORDER BY asked.outbox
