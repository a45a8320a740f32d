-- Of copies within the batch the winner goes in (decisions.md 13).
WITH staged AS MATERIALIZED (
    SELECT DISTINCT ON (datastream_id, phenomenon_time, coalesce(discriminator, id))
           coalesce(id, observation_id(phenomenon_time)) AS id, datastream_id, phenomenon_time, phenomenon_end,
           coalesce(discriminator, id) AS discriminator, received, result_time, valid_start, valid_end, number, result, flag, tests, ruleset,
           feature_id, lon, lat, height, parameters, quality, epoch, seq, item,
           NULL::bigint AS place
      FROM stage
     ORDER BY datastream_id, phenomenon_time, coalesce(discriminator, id),
              rank_of_copy(epoch, seq, item, result, number) DESC, received
),
zone AS (
    SELECT d.id, t.timezone, d.angle FROM datastream d JOIN thing t ON t.id = d.thing_id WHERE d.id IN (SELECT datastream_id FROM staged)
),
