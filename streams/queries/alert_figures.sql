-- How much there is to look at, what lasts, what has to be told.
SELECT (SELECT count(*) FROM alert WHERE state = 'raised'), (SELECT count(*) FROM alert_outbox),
       coalesce(extract(epoch FROM clock_timestamp() - (SELECT queued FROM alert_queue ORDER BY id LIMIT 1)), 0)::float8
