-- Standings change only from what the batch was judged by: a device that somebody released meanwhile makes the batch be judged again.
WITH asked AS MATERIALIZED (
    SELECT * FROM unnest(%(tenants)s::text[], %(devices)s::text[], %(runs_before)s::integer[], %(quarantined_before)s::boolean[],
                         %(runs)s::integer[], %(quarantined)s::boolean[], %(epochs)s::bigint[], %(seqs)s::bigint[])
             AS a (tenant, device, run_before, quarantined_before, run, quarantined, epoch, seq)
)
INSERT INTO device_state AS s (tenant, device, refused_run, quarantined, epoch, seq, since)
SELECT tenant, device, run, quarantined, epoch, seq, CASE WHEN quarantined THEN now() END FROM asked ORDER BY tenant, device
ON CONFLICT (tenant, device) DO UPDATE
   SET refused_run = EXCLUDED.refused_run, quarantined = EXCLUDED.quarantined, epoch = EXCLUDED.epoch, seq = EXCLUDED.seq,
       since = CASE WHEN EXCLUDED.quarantined THEN coalesce(s.since, EXCLUDED.since) END
 WHERE (s.refused_run, s.quarantined)
       = (SELECT a.run_before, a.quarantined_before FROM asked a WHERE a.tenant = s.tenant AND a.device = s.device)
