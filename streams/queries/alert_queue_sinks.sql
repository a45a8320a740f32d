-- Who has to be told of transitions, in their order.
INSERT INTO alert_outbox (alert, number, sink)
SELECT u.* FROM unnest(%(alerts)s::bigint[], %(numbers)s::int[], %(sinks)s::text[]) AS u
