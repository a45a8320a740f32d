-- Virtual Datastreams: Datastream.properties.formula says how their Observations are made of others'. What changed in the inputs is queued
-- in the transaction that changes it; one worker works the queue off. While it is empty, all is as if computed from the beginning.
CREATE TABLE virtual_datastream (      -- the formulas as they were read last
    datastream_id bigint PRIMARY KEY,
    definition    jsonb NOT NULL,      -- with the inputs' ids
    problem       text                 -- why it is not computed
);
-- Looked up by those who write readings. No foreign keys: reading the formulas again locks this table alone.
CREATE TABLE virtual_input (
    input_id      bigint NOT NULL,
    datastream_id bigint NOT NULL,
    PRIMARY KEY (input_id, datastream_id)
);
CREATE TABLE virtual_queue (           -- without uniqueness: those who write must not wait for the one who works it off
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    datastream_id bigint      NOT NULL,
    quarter       timestamptz          -- a quarter of an hour in which an input changed; NULL: everything
);
CREATE VIEW read.virtual_datastream AS SELECT * FROM virtual_datastream;
CREATE VIEW read.virtual_queue AS SELECT datastream_id, count(*) AS waiting FROM virtual_queue GROUP BY datastream_id;
GRANT SELECT ON read.virtual_datastream, read.virtual_queue TO grenzregion_reader;
