-- Which intervals go on across an instant: what a count over a time window that is made of aggregates has to leave out. Instants, which
-- most readings are, have no entry. An end before its start is an empty range.
CREATE INDEX observation_interval ON observation
    USING gist (tstzrange(phenomenon_time, greatest(phenomenon_end, phenomenon_time), '()')) WHERE phenomenon_end IS NOT NULL;
