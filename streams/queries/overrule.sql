-- A copy that outranks the stored one takes its place (decisions.md 13); of equal copies the earliest stamp counts (decisions.md 14).
-- Gives what the beaten ones were, and whether that could be seen.
WITH contender AS (
    SELECT DISTINCT ON (datastream_id, phenomenon_time, coalesce(discriminator, id))
           datastream_id, phenomenon_time, phenomenon_end, coalesce(discriminator, id) AS discriminator, received,
           number, result, flag, tests, ruleset, feature_id, lon, lat, height, parameters, epoch, seq, item
      FROM stage
     ORDER BY datastream_id, phenomenon_time, coalesce(discriminator, id),
              rank_of_copy(epoch, seq, item, result, number) DESC, received
),
beaten AS (
    SELECT c.*, o.id, o.number AS old_number, o.result AS old_result, o.flag AS old_flag,
           o.phenomenon_end AS old_end, o.tests AS old_tests, o.ruleset AS old_ruleset, o.feature_id AS old_feature_id,
           o.parameters AS old_parameters, o.received AS old_received
      FROM contender c JOIN observation o
        ON o.datastream_id = c.datastream_id AND o.phenomenon_time = c.phenomenon_time AND o.discriminator = c.discriminator
       AND o.phenomenon_time BETWEEN (SELECT min(phenomenon_time) FROM stage) AND (SELECT max(phenomenon_time) FROM stage)
     CROSS JOIN LATERAL (SELECT rank_of_copy(c.epoch, c.seq, c.item, c.result, c.number) AS of_copy,
                                rank_of_copy(o.epoch, o.seq, o.item, o.result::text, o.number) AS of_stored) AS rank
     WHERE NOT o.deleted AND NOT o.manual
       AND (rank.of_copy > rank.of_stored OR rank.of_copy = rank.of_stored AND c.received < o.received)
),
changed AS (
    UPDATE observation o
       SET phenomenon_end = b.phenomenon_end, received = b.received, number = b.number, result = b.result::json, flag = b.flag, tests = b.tests,
           ruleset = b.ruleset, feature_id = b.feature_id, lon = b.lon, lat = b.lat, height = b.height, parameters = b.parameters::jsonb,
           epoch = b.epoch, seq = b.seq, item = b.item
      FROM beaten b
     WHERE o.datastream_id = b.datastream_id AND o.phenomenon_time = b.phenomenon_time AND o.discriminator = b.discriminator
)
SELECT datastream_id, phenomenon_time, discriminator, (extract(epoch FROM phenomenon_time) * 1000000)::bigint,
       jsonb_build_object('number', old_number, 'result', old_result, 'flag', old_flag, 'received', old_received)::text, old_flag,
       (number, result, flag) IS DISTINCT FROM (old_number, old_result::text, old_flag)
  FROM beaten
 WHERE (number, result, flag, phenomenon_end, tests, ruleset, feature_id, parameters::jsonb)
       IS DISTINCT FROM (old_number, old_result::text, old_flag, old_end, old_tests, old_ruleset, old_feature_id, old_parameters)
