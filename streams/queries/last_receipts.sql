-- The last receipt of every device, published again when a worker starts.
SELECT DISTINCT ON (tenant, device) tenant, device, epoch, (SELECT upper(run) - 1 FROM unnest(runs) AS run WHERE run @> first)
  FROM receipt ORDER BY tenant, device, epoch DESC
