-- Take the next due delivery to a sink for the time of one attempt: no transaction is open meanwhile, and should the worker die, it is
-- due again. What is older of the same alert goes first, but for what was given up.
UPDATE alert_outbox o
   SET attempts = o.attempts + 1, next_at = now() + %(lease)s
  FROM alert_transition t
 WHERE (t.alert, t.number) = (o.alert, o.number)
   AND o.id = (SELECT d.id
                 FROM alert_outbox d
                WHERE d.sink = %(sink)s AND d.given_up_at IS NULL AND d.next_at <= now()
                  AND NOT EXISTS (SELECT FROM alert_outbox e
                                   WHERE e.alert = d.alert AND e.sink = d.sink AND e.number < d.number AND e.given_up_at IS NULL)
                ORDER BY d.id
                LIMIT 1
                  FOR UPDATE SKIP LOCKED)
RETURNING o.id, o.alert, o.number, o.attempts, extract(epoch FROM now() - t.at)::float8 AS age_s
