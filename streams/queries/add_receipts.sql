-- Identities that this batch stored or refused; gives back how far each device's contiguous run reaches now (decisions.md 3).
INSERT INTO receipt AS r (tenant, device, epoch, first, runs)
SELECT * FROM unnest(%(tenants)s::text[], %(devices)s::text[], %(epochs)s::bigint[], %(firsts)s::bigint[], %(runs)s::int8multirange[]) AS u (a, b, c, d, e)
 ORDER BY a, b, c
ON CONFLICT (tenant, device, epoch) DO UPDATE SET first = greatest(r.first, EXCLUDED.first), runs = r.runs + EXCLUDED.runs
RETURNING tenant, device, epoch, (SELECT upper(run) - 1 FROM unnest(r.runs) AS run WHERE run @> r.first)
