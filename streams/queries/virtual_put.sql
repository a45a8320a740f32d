-- What was computed becomes rows: new ones, others where the value differs, a tombstone where there is no value (number NULL) any more.
-- As with telemetry, a change is a revision once its quarter of an hour was closed (decisions.md 16).
WITH given AS MATERIALIZED (
    SELECT * FROM unnest(%(ids)s::bigint[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(numbers)s::float8[], %(flags)s::smallint[],
                         %(rulesets)s::int[]) AS g (datastream_id, start, until, number, flag, ruleset)
),
feature AS MATERIALIZED (
    SELECT d.id, l.feature_id
      FROM datastream d
      LEFT JOIN LATERAL (SELECT location.feature_id FROM thing_location tl JOIN location ON location.id = tl.location_id
                          WHERE tl.thing_id = d.thing_id
                          ORDER BY (encoding_type IN ('application/geo+json', 'application/vnd.geo+json')) DESC, location.id LIMIT 1) AS l ON true
     WHERE d.id IN (SELECT datastream_id FROM given)
),
stored AS MATERIALIZED (
    SELECT o.id, o.datastream_id, o.phenomenon_time, o.phenomenon_end, o.number, o.flag, o.received, o.ruleset, o.deleted
      FROM given g JOIN observation o ON o.datastream_id = g.datastream_id AND o.phenomenon_time = g.start AND o.discriminator = 0
     WHERE o.phenomenon_time BETWEEN (SELECT min(start) FROM given) AND (SELECT max(start) FROM given)
),
gone AS (
    UPDATE observation o SET deleted = true
      FROM stored s JOIN given g ON g.datastream_id = s.datastream_id AND g.start = s.phenomenon_time
     WHERE g.number IS NULL AND NOT s.deleted AND o.datastream_id = s.datastream_id AND o.phenomenon_time = s.phenomenon_time AND o.discriminator = 0
    RETURNING o.id, o.datastream_id, o.phenomenon_time, s.number AS old_number, s.flag AS old_flag, s.ruleset AS old_ruleset, s.received
),
changed AS (
    UPDATE observation o
       SET number = g.number, flag = g.flag, phenomenon_end = g.until, ruleset = g.ruleset, deleted = false,
           received = CASE WHEN s.deleted THEN clock_timestamp() ELSE o.received END  -- until now there was nothing to know
      FROM stored s JOIN given g ON g.datastream_id = s.datastream_id AND g.start = s.phenomenon_time
     WHERE g.number IS NOT NULL AND (s.number, s.flag, s.phenomenon_end, s.ruleset, s.deleted) IS DISTINCT FROM (g.number, g.flag, g.until, g.ruleset, false)
       AND o.datastream_id = s.datastream_id AND o.phenomenon_time = s.phenomenon_time AND o.discriminator = 0
    RETURNING o.id, o.datastream_id, o.phenomenon_time, o.number, o.flag, o.ruleset, s.number AS old_number, s.flag AS old_flag, s.ruleset AS old_ruleset, s.received,
              s.deleted AS revived
),
fresh AS (
    INSERT INTO observation (id, datastream_id, phenomenon_time, phenomenon_end, received, number, flag, tests, ruleset, feature_id)
    SELECT observation_id(g.start), g.datastream_id, g.start, g.until, clock_timestamp(), g.number, g.flag, 0, g.ruleset, f.feature_id
      FROM given g JOIN feature f ON f.id = g.datastream_id
     WHERE g.number IS NOT NULL
       AND NOT EXISTS (SELECT FROM stored s WHERE s.datastream_id = g.datastream_id AND s.phenomenon_time = g.start)
    RETURNING id, datastream_id, phenomenon_time, feature_id
),
revised AS (
    INSERT INTO revision (at, cause, datastream_id, phenomenon_time, discriminator, observation_id, old, new)
    SELECT clock_timestamp(), 'computed', datastream_id, phenomenon_time, 0, id,
           jsonb_build_object('number', old_number, 'result', NULL, 'flag', old_flag, 'ruleset', old_ruleset, 'received', received), new
      FROM (SELECT datastream_id, phenomenon_time, id, old_number, old_flag, old_ruleset, received,
                   jsonb_build_object('number', number, 'result', NULL, 'flag', flag, 'ruleset', ruleset) AS new
              FROM changed WHERE NOT revived AND (number, flag) IS DISTINCT FROM (old_number, old_flag)
            UNION ALL SELECT datastream_id, phenomenon_time, id, old_number, old_flag, old_ruleset, received, '{}' FROM gone) AS visible
     WHERE date_bin('15 min', phenomenon_time, '2000-01-01Z') + interval '15 min' + %(grace)s::interval < clock_timestamp()
),
places AS (
    INSERT INTO datastream_feature (datastream_id, feature_id)
    SELECT DISTINCT datastream_id, feature_id FROM fresh WHERE feature_id IS NOT NULL ORDER BY datastream_id, feature_id
    ON CONFLICT DO NOTHING
),
news AS (
    INSERT INTO stored_outbox (payload)
    SELECT convert_to('{"version":1,"' || what || '":[' || string_agg(id::text, ',') || ']}', 'UTF8')
      FROM (SELECT 'created' AS what, id FROM fresh UNION ALL SELECT 'changed', id FROM changed UNION ALL SELECT 'deleted', id FROM gone) AS all_news
     GROUP BY what
)
SELECT datastream_id, phenomenon_time FROM fresh
UNION ALL SELECT datastream_id, phenomenon_time FROM changed
UNION ALL SELECT datastream_id, phenomenon_time FROM gone
