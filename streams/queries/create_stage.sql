-- Rows of one batch on their way into `observation`: COPY is the fastest way in, and the winner rule needs them side by side.
CREATE TEMP TABLE IF NOT EXISTS stage (
    id              bigint,          -- NULL: made on insertion
    datastream_id   bigint,
    phenomenon_time timestamptz,
    phenomenon_end  timestamptz,
    discriminator   bigint,          -- NULL: the row's id
    received        timestamptz,
    result_time     timestamptz,
    valid_start     timestamptz,
    valid_end       timestamptz,
    number          double precision,
    result          text,
    flag            smallint,
    tests           bigint,
    ruleset         integer,
    feature_id      bigint,
    lon             double precision,
    lat             double precision,
    height          double precision,
    parameters      text,
    quality         text,
    epoch           bigint,
    seq             bigint,
    item            integer
) ON COMMIT DELETE ROWS
