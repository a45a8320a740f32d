-- One watcher at a time, of all processes; given back with the transaction.
SELECT pg_try_advisory_xact_lock(hashtext('grenzregion.alerts')), (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
