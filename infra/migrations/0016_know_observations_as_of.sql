-- Observations as they were known at an instant, for SensorThings' `as_of`: those received until then, with the values that they had then
-- (see 0071, which does the same for the figures of one Datastream). One plain SELECT, so that PostgreSQL puts it into the statement that
-- asks and a condition reaches the indexes of both halves. What the revision log does not keep (resultTime, parameters, …) is of now.
CREATE VIEW read.kept_observation AS SELECT * FROM observation;   -- tombstones too
GRANT SELECT ON read.kept_observation TO grenzregion_reader;

CREATE FUNCTION read.known_observation(as_of timestamptz)
RETURNS TABLE (id bigint, datastream_id bigint, phenomenon_time timestamptz, phenomenon_end timestamptz, discriminator bigint,
               result_time timestamptz, valid_start timestamptz, valid_end timestamptz, number double precision, result json, flag smallint, tests bigint,
               ruleset integer, feature_id bigint, parameters jsonb, quality jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT o.id, o.datastream_id, o.phenomenon_time, o.phenomenon_end, o.discriminator, o.result_time, o.valid_start, o.valid_end, o.number,
           o.result, o.flag, o.tests, o.ruleset, o.feature_id, o.parameters, o.quality
      FROM read.observation o
     WHERE o.received <= as_of
       AND NOT EXISTS (SELECT FROM read.revision r WHERE r.observation_id = o.id AND r.at > as_of)
    UNION ALL
    SELECT r.observation_id, r.datastream_id, coalesce((r.old ->> 'phenomenon_time')::timestamptz, r.phenomenon_time), o.phenomenon_end,
           r.discriminator, o.result_time, o.valid_start, o.valid_end, (r.old ->> 'number')::double precision,
           CASE WHEN r.old -> 'result' <> 'null' THEN (r.old -> 'result')::json END, (r.old ->> 'flag')::smallint,
           coalesce((r.old ->> 'tests')::bigint, 0), coalesce((r.old ->> 'ruleset')::integer, 1), o.feature_id, o.parameters, o.quality
      FROM read.revision r
     CROSS JOIN LATERAL (SELECT k.* FROM read.kept_observation k WHERE k.id = r.observation_id ORDER BY k.deleted LIMIT 1) AS o
     WHERE r.at > as_of
       AND NOT EXISTS (SELECT FROM read.revision e
                        WHERE e.observation_id = r.observation_id AND e.at > as_of AND (e.at, e.id) < (r.at, r.id))
       -- One that telemetry overruled had been received before its winner; when exactly, only the revision may say.
       AND coalesce((r.old ->> 'received')::timestamptz, CASE WHEN r.cause <> 'overruled' THEN o.received END, as_of) <= as_of;
END;
