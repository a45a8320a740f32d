-- What an import finds already there: shared entities by key, Things by device, Datastreams by channel.
SELECT 'Sensors' AS entity_set, properties ->> 'key' AS owner, '' AS name, min(id) AS id FROM sensor WHERE properties ? 'key' GROUP BY 2
UNION ALL
SELECT 'ObservedProperties', properties ->> 'key', '', min(id) FROM observed_property WHERE properties ? 'key' GROUP BY 2
UNION ALL
SELECT 'Things', tenant, device, id FROM thing WHERE device IS NOT NULL
UNION ALL
SELECT 'Datastreams', thing_id::text, channel, id FROM datastream WHERE channel IS NOT NULL
