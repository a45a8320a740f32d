-- When devices were heard of last; an older stamp that comes late changes nothing.
INSERT INTO device_health AS h (tenant, device, last_seen, clock_offset_s)
SELECT * FROM unnest(%(tenants)s::text[], %(devices)s::text[], %(stamps)s::timestamptz[], %(offsets)s::double precision[]) AS u (a, b, c, d)
 ORDER BY a, b
ON CONFLICT (tenant, device) DO UPDATE
   SET last_seen = EXCLUDED.last_seen, clock_offset_s = coalesce(EXCLUDED.clock_offset_s, h.clock_offset_s)
 WHERE h.last_seen < EXCLUDED.last_seen
