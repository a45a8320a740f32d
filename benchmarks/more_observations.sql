-- One more slice of Observations of each Datastream, ten minutes apart behind its last one, with the summaries: Datastream by
-- Datastream as in the benchmark's data arrays.
WITH slice AS (
    SELECT observation_id(at) AS id, s.datastream_id, at, (s.datastream_id * 7919 + k * 104729) %% 4000 / 100.0 AS number, s.latest_feature_id
      FROM datastream_summary s, generate_series(1, %(rows)s) k, LATERAL (SELECT s.last_time + k * interval '10 minutes' AS at) t
     WHERE s.datastream_id = ANY (%(datastreams)s)
     ORDER BY s.datastream_id, k
), stored AS (
    INSERT INTO observation (id, datastream_id, phenomenon_time, discriminator, received, number, flag, tests, ruleset, feature_id)
    SELECT id, datastream_id, at, id, now(), number, 1, 4097, 1, latest_feature_id FROM slice
    RETURNING id, datastream_id, phenomenon_time, number
), newest AS (
    SELECT DISTINCT ON (datastream_id) * FROM stored ORDER BY datastream_id, phenomenon_time DESC
)
UPDATE datastream_summary s
   SET n = s.n + %(rows)s, last_time = l.phenomenon_time, end_time = l.phenomenon_time, latest_id = l.id, latest_discriminator = l.id,
       latest_number = l.number, changed = now()
  FROM newest l
 WHERE l.datastream_id = s.datastream_id
