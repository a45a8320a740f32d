-- Every public Thing with its place and the latest value of each Datastream, as one JSON text: the page asks for it at every start.
SELECT json_build_object('time', now(), 'stations', coalesce(json_agg(station ORDER BY name, id), '[]'::json))::text
FROM (
    SELECT t.id, t.name, json_build_object(
        'id', t.id,
        'name', t.name,
        'names', coalesce(t.properties -> 'names', '{}'),
        'description', t.description,
        'descriptions', coalesce(t.properties -> 'descriptions', '{}'),
        'theme', t.properties ->> 'theme',
        'municipality', t.properties ->> 'municipality',
        'country', t.properties ->> 'country',
        'source', t.properties ->> 'source',
        'timezone', t.timezone,
        'moving', coalesce(t.properties -> 'moving' = 'true', false),
        'attribution', t.properties -> 'attribution',
        'position', place.position,
        'datastreams', coalesce(streams.list, '[]'::json)) AS station
    FROM read.thing t
    LEFT JOIN LATERAL (
        SELECT json_build_array(point -> 0, point -> 1) AS position
        FROM (
            SELECT l.id, coalesce(l.location -> 'geometry', l.location) AS geometry
            FROM read.thing_location tl JOIN read.location l ON l.id = tl.location_id
            WHERE tl.thing_id = t.id AND l.encoding_type IN ('application/geo+json', 'application/vnd.geo+json')
        ) g, LATERAL (SELECT geometry -> 'coordinates' AS point) c
        WHERE geometry ->> 'type' = 'Point' AND jsonb_typeof(point -> 0) = 'number' AND jsonb_typeof(point -> 1) = 'number'
        ORDER BY g.id DESC LIMIT 1
    ) place ON true
    LEFT JOIN LATERAL (
        SELECT json_agg(json_build_object(
            'id', d.id,
            'channel', d.channel,
            'name', coalesce(o.name, d.name),
            'names', coalesce(o.properties -> 'names', '{}'),
            'unit', d.unit_of_measurement -> 'symbol',
            'ucum', d.unit_of_measurement -> 'definition',
            'decimals', d.properties -> 'decimals',
            'interval_s', d.properties -> 'interval_s',
            'time', s.last_time,
            'value', coalesce(to_json(s.latest_number), s.latest_result),
            'flag', s.latest_flag) ORDER BY d.id) AS list
        FROM read.datastream d
        JOIN read.observed_property o ON o.id = d.observed_property_id
        LEFT JOIN read.datastream_summary s ON s.datastream_id = d.id
        WHERE d.thing_id = t.id
    ) streams ON true
    WHERE t.public
) listed
