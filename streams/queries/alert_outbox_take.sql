-- What a sink of the platform's own has not been told yet; one publisher at a time, so that the order stays.
SELECT id, alert, number FROM alert_outbox
 WHERE sink = %(sink)s AND pg_try_advisory_xact_lock(hashtext('grenzregion.alerts.' || %(sink)s))
 ORDER BY id LIMIT 200
