-- Every declared formula, and all channels that one may name.
SELECT d.id, d.properties -> 'formula', t.tenant, t.device, t.timezone
  FROM datastream d JOIN thing t ON t.id = d.thing_id
 WHERE d.properties ? 'formula' AND d.unit_of_measurements IS NULL
 ORDER BY d.id
