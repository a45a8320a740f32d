-- The channels that an input may name.
SELECT t.tenant || '/' || t.device, d.channel, d.id
  FROM datastream d JOIN thing t ON t.id = d.thing_id WHERE t.device IS NOT NULL AND d.channel IS NOT NULL
