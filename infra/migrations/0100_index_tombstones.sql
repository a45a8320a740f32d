-- Which rows are deleted, by time: a count over a time window counts entries of an index and takes these off, without a look at a row.
CREATE INDEX observation_deleted ON observation (phenomenon_time, datastream_id) WHERE deleted;
