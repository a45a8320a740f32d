-- Figures that follow the rows, written in the same transaction. Keyed by flag, so that "only good" is a sum (decisions.md 16).
-- Sums are numeric: exact, so they do not depend on the order of arrival (decisions.md 14).
-- One table for all spans: one upsert a batch, locked in sorted order. Readers see a view for each span (0005).
CREATE TYPE aggregate_span AS ENUM ('quarter_hour', 'hour', 'day', 'month');   -- day and month: local to the Thing's timezone

CREATE TABLE aggregate (
    datastream_id bigint         NOT NULL,
    span          aggregate_span NOT NULL,
    bucket        timestamptz    NOT NULL,   -- its start
    flag          smallint       NOT NULL,
    n             integer        NOT NULL,   -- readings of any type
    numbers       integer        NOT NULL,   -- those with a numeric result; mean = sum / numbers
    sum           numeric        NOT NULL,
    sum_squares   numeric        NOT NULL,
    min           double precision,
    max           double precision,
    first_time    timestamptz    NOT NULL,
    first_number  double precision,
    last_time     timestamptz    NOT NULL,
    last_number   double precision,
    PRIMARY KEY (datastream_id, span, bucket, flag)
) WITH (fillfactor = 70);
CREATE INDEX aggregate_bucket ON aggregate (span, bucket);

-- One row per Datastream: exact count, span and latest value without a look at the readings.
CREATE TABLE datastream_summary (
    datastream_id        bigint PRIMARY KEY,
    n                    bigint      NOT NULL,
    first_time           timestamptz NOT NULL,
    last_time            timestamptz NOT NULL,   -- phenomenon_time of the latest
    end_time             timestamptz NOT NULL,   -- latest end of a phenomenon time
    latest_id            bigint      NOT NULL,
    latest_discriminator bigint      NOT NULL,
    latest_number        double precision,
    latest_result        json,
    latest_flag          smallint    NOT NULL,
    result_first         timestamptz,
    result_last          timestamptz,
    changed              timestamptz NOT NULL
) WITH (fillfactor = 50);
