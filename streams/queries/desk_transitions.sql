-- What happened to an alert, the oldest first.
SELECT number, kind, at, event_time, level, value, cause, state, begins, ends FROM alert_transition WHERE alert = %(alert)s ORDER BY number
