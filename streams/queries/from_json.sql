-- Rows of a few requests, given as JSON: no round trip but the one that writes them. What a row needs is locked in the order in which
-- deleting locks it, so that nothing is left without its Datastream or its feature; where one is gone, the row is not staged.
-- A Thing's time zone is read from the locked row: a change of it waits, or is waited for.
WITH asked AS MATERIALIZED (
    SELECT * FROM json_to_recordset(%(rows)s::json) AS r (
        place bigint, datastream_id bigint, phenomenon_time timestamptz, phenomenon_end timestamptz, discriminator bigint,
        received timestamptz, result_time timestamptz, valid_start timestamptz, valid_end timestamptz, number double precision, result text,
        flag smallint, tests bigint, ruleset integer, feature_id bigint, parameters text, quality text)
),
things AS MATERIALIZED (
    SELECT id, timezone FROM thing WHERE id = ANY (%(things)s::bigint[]) ORDER BY id FOR KEY SHARE
),
zone AS MATERIALIZED (
    SELECT d.id, t.timezone, d.angle FROM datastream d JOIN things t ON t.id = d.thing_id
     WHERE d.id = ANY (%(datastreams)s::bigint[]) ORDER BY d.id FOR KEY SHARE OF d
),
features AS MATERIALIZED (
    SELECT id FROM feature_of_interest WHERE id = ANY (%(features)s::bigint[]) ORDER BY id FOR KEY SHARE
),
numbered AS MATERIALIZED (
    SELECT a.*, observation_id(a.phenomenon_time) AS id FROM asked a JOIN zone z ON z.id = a.datastream_id JOIN features f ON f.id = a.feature_id
),
staged AS MATERIALIZED (
    SELECT id, datastream_id, phenomenon_time, phenomenon_end, coalesce(discriminator, id) AS discriminator, received, result_time,
           valid_start, valid_end, number, result, flag, tests, ruleset, feature_id, NULL::double precision AS lon, NULL::double precision AS lat,
           NULL::double precision AS height, parameters, quality, NULL::bigint AS epoch, NULL::bigint AS seq, NULL::integer AS item, place
      FROM numbered
),
