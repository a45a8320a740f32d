-- Which transaction wrote a Datastream's rows last: a worker that remembers the newest rows knows whether they are still all there.
ALTER TABLE datastream_summary ADD COLUMN written xid8 NOT NULL DEFAULT pg_current_xact_id();
