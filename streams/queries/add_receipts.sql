-- Identities that this batch stored or refused; gives back how far each device's contiguous run reaches now (decisions.md 3), and counts
-- messages that came again: `sent` beyond what is new.
INSERT INTO receipt AS r (tenant, device, epoch, first, runs, repeats)
SELECT a, b, c, d, e, CASE WHEN %(counted)s THEN f - (SELECT sum(upper(run) - lower(run)) FROM unnest(e) AS run) ELSE 0 END
  FROM unnest(%(tenants)s::text[], %(devices)s::text[], %(epochs)s::bigint[], %(firsts)s::bigint[], %(runs)s::int8multirange[], %(sent)s::bigint[])
       AS u (a, b, c, d, e, f)
 ORDER BY a, b, c
ON CONFLICT (tenant, device, epoch) DO UPDATE
   SET first = greatest(r.first, EXCLUDED.first), runs = r.runs + EXCLUDED.runs,
       repeats = r.repeats + EXCLUDED.repeats
                 + CASE WHEN %(counted)s AND r.runs && EXCLUDED.runs
                        THEN (SELECT sum(upper(run) - lower(run)) FROM unnest(r.runs * EXCLUDED.runs) AS run) ELSE 0 END
RETURNING tenant, device, epoch, (SELECT upper(run) - 1 FROM unnest(r.runs) AS run WHERE run @> r.first)
