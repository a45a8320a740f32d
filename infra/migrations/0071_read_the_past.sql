-- What was known at an instant: rows received later are hidden, and the revision log gives back what was changed since (decisions.md 16).
-- A change while its bucket was open left no revision: there the past reads as the present.
CREATE INDEX revision_observation ON revision (observation_id);
CREATE INDEX revision_at ON revision (at);
CREATE VIEW read.tombstone AS SELECT id, datastream_id, phenomenon_time, received FROM observation WHERE deleted;
GRANT SELECT ON read.tombstone TO grenzregion_reader;
-- Of a row that was changed since, the first revision since then holds what was known. One that telemetry overruled had been received
-- before its winner: `received` of the revision says when, where it is there.
CREATE FUNCTION read.observation_as_of(asked bigint, since timestamptz, until timestamptz, as_of timestamptz)
RETURNS TABLE (id bigint, phenomenon_time timestamptz, number double precision, result json, flag smallint, tests bigint, ruleset integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT o.id, o.phenomenon_time, o.number, o.result, o.flag, o.tests, o.ruleset
      FROM read.observation o
     WHERE o.datastream_id = asked AND o.phenomenon_time >= since AND o.phenomenon_time < until AND o.received <= as_of
       AND NOT EXISTS (SELECT FROM read.revision r WHERE r.observation_id = o.id AND r.at > as_of)
    UNION ALL
    SELECT l.id, l.at_time, (l.old ->> 'number')::double precision, CASE WHEN l.old -> 'result' <> 'null' THEN (l.old -> 'result')::json END,
           (l.old ->> 'flag')::smallint, coalesce((l.old ->> 'tests')::bigint, 0), coalesce((l.old ->> 'ruleset')::integer, 1)
      FROM (SELECT DISTINCT ON (r.observation_id) r.observation_id AS id, r.cause, r.old,
                   coalesce((r.old ->> 'phenomenon_time')::timestamptz, r.phenomenon_time) AS at_time
              FROM read.revision r WHERE r.datastream_id = asked AND r.at > as_of ORDER BY r.observation_id, r.at, r.id) AS l
      LEFT JOIN LATERAL (SELECT o.received FROM read.observation o WHERE o.id = l.id
                         UNION ALL SELECT t.received FROM read.tombstone t WHERE t.id = l.id LIMIT 1) AS row ON true
     WHERE l.at_time >= since AND l.at_time < until
       AND coalesce((l.old ->> 'received')::timestamptz, CASE WHEN l.cause <> 'overruled' THEN row.received END, as_of) <= as_of;
END;
-- Closed figures that changed: the buckets of revisions, of their old and their new time, with when and why.
CREATE VIEW read.revised AS
SELECT r.datastream_id, moment.phenomenon_time, r.at, r.cause
  FROM revision r
 CROSS JOIN LATERAL (SELECT r.phenomenon_time UNION SELECT (r.new ->> 'phenomenon_time')::timestamptz WHERE r.new ? 'phenomenon_time') AS moment;
GRANT SELECT ON read.revised TO grenzregion_reader;
