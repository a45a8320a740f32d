-- Channels of devices; %(tenants)s NULL: of all of them.
 WHERE t.device IS NOT NULL AND d.channel IS NOT NULL
   AND (%(tenants)s::text[] IS NULL OR (t.tenant, t.device) IN (SELECT * FROM unnest(%(tenants)s::text[], %(devices)s::text[])))
