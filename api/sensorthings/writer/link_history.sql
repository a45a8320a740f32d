-- The Locations that a HistoricalLocation names; naming one twice is harmless.
INSERT INTO historical_location_location (historical_location_id, location_id)
SELECT historical_location_id, location_id
  FROM jsonb_to_recordset(%(pairs)s::jsonb) AS p (historical_location_id bigint, location_id bigint)
ON CONFLICT DO NOTHING
