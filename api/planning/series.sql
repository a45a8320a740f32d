-- Readings of one public Datastream in a window, as one JSON text. Up to %(most)s are given as they are; more are thinned by bucket to
-- the lowest, the highest and the worst flagged, so that no peak and no fault is lost (arrays are compared element by element).
-- Results that are no numbers are given where they change.
WITH asked AS (
    SELECT d.id, coalesce(%(until)s, now()) - make_interval(secs => %(seconds)s) AS since, coalesce(%(until)s, now()) AS until
    FROM read.datastream d JOIN read.thing t ON t.id = d.thing_id
    WHERE d.id = %(datastream)s AND t.public
), reading AS MATERIALIZED (
    SELECT extract(epoch FROM o.phenomenon_time)::float8 AS at, o.number, o.result, o.flag
    FROM read.observation o, asked a
    WHERE o.datastream_id = a.id AND o.phenomenon_time > a.since AND o.phenomenon_time <= a.until
), counted AS (
    SELECT count(*) AS n, count(result) = 0 AS numeric FROM reading
), bucket AS (
    SELECT min(ARRAY[number, at, flag]) FILTER (WHERE number IS NOT NULL) AS lowest,
           max(ARRAY[number, at, flag]) FILTER (WHERE number IS NOT NULL) AS highest,
           max(ARRAY[flag, at, number]) FILTER (WHERE flag > 1) AS worst
    FROM reading, counted WHERE numeric AND n > %(most)s
    GROUP BY floor(at / (%(seconds)s::float8 * 3 / %(most)s))
), point AS (
    SELECT at, to_json(number) AS value, flag FROM reading, counted WHERE numeric AND n <= %(most)s
    UNION ALL
    SELECT at, to_json(number), flag::smallint FROM (
        SELECT lowest[2] AS at, lowest[1] AS number, lowest[3] AS flag FROM bucket WHERE lowest IS NOT NULL
        UNION SELECT highest[2], highest[1], highest[3] FROM bucket WHERE highest IS NOT NULL
        UNION SELECT worst[2], worst[3], worst[1] FROM bucket WHERE worst IS NOT NULL) thinned
    UNION ALL
    SELECT at, value, flag FROM (
        SELECT at, coalesce(to_json(number), result) AS value, flag,
               lag(coalesce(number::text, result::text, '')) OVER w IS DISTINCT FROM coalesce(number::text, result::text, '')
               OR lag(flag) OVER w <> flag AS changed
        FROM reading, counted WHERE NOT numeric WINDOW w AS (ORDER BY at)) state
    WHERE changed
)
SELECT json_build_object(
    'datastream', a.id,
    'since', a.since,
    'until', a.until,
    'n', c.n,
    'numeric', c.numeric,
    'thinned', c.numeric AND c.n > %(most)s,
    'points', (SELECT coalesce(json_agg(json_build_array(round(at * 1000)::bigint, value, flag) ORDER BY at), '[]'::json)
               FROM (SELECT * FROM point ORDER BY at DESC LIMIT %(most)s + 10) newest))::text
FROM asked a, counted c
