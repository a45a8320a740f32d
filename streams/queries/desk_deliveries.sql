-- Who has not been told of an alert, and why.
SELECT number, sink, attempts, next_at, last_error, given_up_at FROM alert_outbox WHERE alert = %(alert)s ORDER BY number, sink
