-- Rows that look different now: a revision where their bucket was closed (decisions.md 16), news in any case.
-- `old` NULL: value and result are as they were, only the flag was another.
WITH given AS (
    SELECT datastream_id, 'epoch'::timestamptz + us * interval '1 us' AS phenomenon_time, discriminator, cause, old, old_flag
      FROM unnest(%(datastreams)s::bigint[], %(times)s::bigint[], %(discriminators)s::bigint[], %(causes)s::text[], %(olds)s::jsonb[],
                  %(old_flags)s::smallint[]) AS u (datastream_id, us, discriminator, cause, old, old_flag)
),
seen AS (
    SELECT g.*, o.id, jsonb_build_object('number', o.number, 'result', o.result, 'flag', o.flag, 'ruleset', o.ruleset) AS new,
           coalesce(g.old, jsonb_build_object('number', o.number, 'result', o.result, 'flag', g.old_flag)) AS before
      FROM given g JOIN observation o USING (datastream_id, phenomenon_time, discriminator)
     WHERE o.phenomenon_time BETWEEN (SELECT min(phenomenon_time) FROM given) AND (SELECT max(phenomenon_time) FROM given)
),
visible AS (
    SELECT * FROM seen WHERE before - '{ruleset,received}'::text[] <> new - 'ruleset'
),
revised AS (
    INSERT INTO revision (at, cause, datastream_id, phenomenon_time, discriminator, observation_id, old, new)
    SELECT clock_timestamp(), cause, datastream_id, phenomenon_time, discriminator, id, before, new
      FROM visible
     WHERE date_bin('15 min', phenomenon_time, '2000-01-01Z') + interval '15 min' + %(grace)s::interval < clock_timestamp()
)
INSERT INTO stored_outbox (payload)
SELECT convert_to('{"version":1,"changed":[' || string_agg(id::text, ',') || ']}', 'UTF8') FROM visible HAVING count(*) > 0
