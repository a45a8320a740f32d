-- Judging across stations (decisions.md 15): the store queues what it changed, in its transaction; one judge for each group of stations
-- works it off from committed rows. A group is all Datastreams of an ObservedProperty.
CREATE TABLE neighbour_queue (
    property_id bigint      NOT NULL,
    slot        timestamptz NOT NULL,   -- start of the quarter hour whose rows are to be judged
    queued      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (property_id, slot)
);
