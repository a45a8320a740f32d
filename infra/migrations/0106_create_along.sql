-- Creates over MQTT that brought entities along and say their phenomenonTime: a message that comes again is written once
-- (decisions.md 13). `digest`: of its topic and payload.
CREATE TABLE created_along (
    digest   bytea PRIMARY KEY,
    received timestamptz NOT NULL
);
