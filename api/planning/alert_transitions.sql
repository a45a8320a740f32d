-- What became of an alert, the oldest first.
SELECT number, kind, at, event_time, level, value, cause, state, begins, ends FROM read.alert_transition WHERE alert = %(alert)s ORDER BY number
