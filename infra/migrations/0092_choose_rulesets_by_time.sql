-- Spans of time that a chosen version of the rulesets judges, whatever version the Datastream has else: a new version judges a span
-- again as a revision. Of two that meet the later choice holds.
CREATE TABLE ruleset_span (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    datastream_id bigint      NOT NULL REFERENCES datastream ON DELETE CASCADE,
    first_time    timestamptz NOT NULL,
    last_time     timestamptz NOT NULL,
    version       integer     NOT NULL,
    chosen        timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (first_time <= last_time)
);
CREATE INDEX ruleset_span_datastream ON ruleset_span (datastream_id);
CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE ON ruleset_span FOR EACH STATEMENT EXECUTE FUNCTION notify_registry();
