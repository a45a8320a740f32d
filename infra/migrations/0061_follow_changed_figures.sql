-- What alerts have to look at again: Datastreams, and from when to when their figures changed. Whoever stores, corrects, deletes or judges
-- readings changes quarters of an hour in `aggregate` in the same transaction, so nothing can be missed (docs/adr/0016).
CREATE TABLE alert_queue (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queued      timestamptz NOT NULL DEFAULT clock_timestamp(),
    recomputed  boolean       NOT NULL,   -- stored rows changed; else there are new ones
    datastreams bigint[]      NOT NULL,   -- one row for each statement: a row for each Datastream would cost the ingest more
    lows        timestamptz[] NOT NULL,   -- first quarter of an hour
    highs       timestamptz[] NOT NULL    -- last one
);

CREATE FUNCTION alert_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO alert_queue (recomputed, datastreams, lows, highs)
    SELECT TG_OP = 'DELETE', array_agg(datastream_id), array_agg(low), array_agg(high)
      FROM (SELECT datastream_id, min(bucket) AS low, max(bucket) AS high FROM changed WHERE span = 'quarter_hour' GROUP BY datastream_id) AS each
    HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER alert_follow_new AFTER INSERT ON aggregate
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION alert_follow();
CREATE TRIGGER alert_follow_more AFTER UPDATE ON aggregate
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION alert_follow();
CREATE TRIGGER alert_follow_gone AFTER DELETE ON aggregate
    REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION alert_follow();

CREATE TABLE alert_progress (            -- how far the alerts of a Datastream are
    datastream bigint PRIMARY KEY REFERENCES datastream ON DELETE CASCADE,
    watches    text        NOT NULL,     -- fingerprint of the rules that it was evaluated by
    ended      timestamptz,              -- end of its readings then: buckets before it are over
    due_at     timestamptz,              -- it may be silent for too long at this time, not before
    gaps       jsonb       NOT NULL      -- rules that do not watch it, for something is missing
) WITH (fillfactor = 70);
CREATE INDEX alert_progress_due ON alert_progress (due_at) WHERE due_at IS NOT NULL;

-- Rules that would watch a Datastream if what they need were there.
CREATE VIEW read.alert_gap AS
SELECT g.datastream AS datastream_id, d.name AS datastream, t.id AS thing_id, t.name AS thing, t.public, gap ->> 'rule' AS rule, gap ->> 'missing' AS missing
  FROM alert_progress g
  JOIN datastream d ON d.id = g.datastream
  JOIN thing t ON t.id = d.thing_id
 CROSS JOIN LATERAL jsonb_array_elements(g.gaps) AS gap;
-- The worst of a station's alerts of a family (what stands before the point of a rule's name): of `eaqi` the index of the station.
CREATE VIEW read.alert_station AS
SELECT thing_id, thing, public, split_part(rule, '.', 1) AS family, max(level) AS level, min(begins) AS begins, count(*) AS alerts
  FROM read.alert WHERE state = 'raised' GROUP BY thing_id, thing, public, split_part(rule, '.', 1);
GRANT SELECT ON read.alert_gap, read.alert_station TO grenzregion_reader;
