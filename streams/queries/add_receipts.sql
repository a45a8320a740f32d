-- Identities that this batch stored or refused; gives back how far each device's contiguous run reaches now (decisions.md 3), and counts
-- messages that came again: `sent` beyond what is new.
INSERT INTO receipt AS r (tenant, device, epoch, first, runs, repeats)
SELECT tenant, device, epoch, first, runs,
       CASE WHEN %(counted)s THEN sent - (SELECT sum(upper(run) - lower(run)) FROM unnest(runs) AS run) ELSE 0 END
  -- One text: a driver's arrays cost as much as the statement.
  FROM json_to_recordset(%(settled)s::json)
       AS u (tenant text, device text, epoch bigint, first bigint, runs int8multirange, sent bigint)
 ORDER BY tenant, device, epoch
ON CONFLICT (tenant, device, epoch) DO UPDATE
   SET first = greatest(r.first, EXCLUDED.first), runs = r.runs + EXCLUDED.runs,
       repeats = r.repeats + EXCLUDED.repeats
                 + CASE WHEN %(counted)s AND r.runs && EXCLUDED.runs
                        THEN (SELECT sum(upper(run) - lower(run)) FROM unnest(r.runs * EXCLUDED.runs) AS run) ELSE 0 END
RETURNING tenant, device, epoch, (SELECT upper(run) - 1 FROM unnest(r.runs) AS run WHERE run @> r.first)
