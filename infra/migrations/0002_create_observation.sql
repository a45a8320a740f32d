-- Readings. With TimescaleDB a hypertable by phenomenon time, else a plain table of the same shape.
-- id = day since 1970 · 2^37 + sequence (below 2^53 for JavaScript): a look-up by id knows its chunk (decisions.md 11).
CREATE SEQUENCE observation_sequence AS bigint MAXVALUE 137438953471 CYCLE;   -- with its day an id stays unique after a turn

CREATE FUNCTION observation_id(at timestamptz) RETURNS bigint LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN at >= '1970-01-01Z' AND at < '2149-01-01Z'
                THEN (extract(epoch FROM at)::bigint / 86400) * 137438953472 ELSE 0 END + nextval('observation_sequence')
$$;

CREATE TABLE observation (
    id              bigint      NOT NULL,
    datastream_id   bigint      NOT NULL,
    phenomenon_time timestamptz NOT NULL,            -- the instant, or the start of the interval
    phenomenon_end  timestamptz,                     -- end of the interval, NULL for an instant
    discriminator   bigint      NOT NULL DEFAULT 0,  -- 0: telemetry; an HTTP POST carries its id, an MQTT create the hash of its payload
    received        timestamptz NOT NULL,            -- earliest stamp of bridge or API
    result_time     timestamptz,
    valid_start     timestamptz,
    valid_end       timestamptz,
    number          double precision,                -- a numeric result
    result          json,                            -- any other result as it was sent; both NULL: null
    flag            smallint    NOT NULL,            -- QARTOD: 1 good, 2 not evaluated, 3 suspect, 4 fail, 9 missing
    tests           bigint      NOT NULL,            -- flag of each test, 4 bits each, 0: did not run (streams/quality)
    ruleset         integer     NOT NULL,
    feature_id      bigint,
    lon             double precision,
    lat             double precision,
    height          double precision,
    parameters      jsonb,
    quality         jsonb,                           -- resultQuality as a client gave it
    epoch           bigint,                          -- identity of the message, NULL without one (decisions.md 13)
    seq             bigint,
    item            integer,                         -- index of the reading in its message
    deleted         boolean     NOT NULL DEFAULT false
);
CREATE UNIQUE INDEX observation_key ON observation (datastream_id, phenomenon_time, discriminator);
CREATE INDEX observation_id ON observation (id);
CREATE INDEX observation_time ON observation (phenomenon_time, datastream_id);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
        PERFORM create_hypertable('observation', 'phenomenon_time', chunk_time_interval => interval '7 days', create_default_indexes => false);
    END IF;
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'postgis') THEN
        CREATE EXTENSION IF NOT EXISTS postgis;
    END IF;
END $$;
