-- Of Datastreams whose rules changed: what is to be evaluated again, from the horizon or where what lasted then began.
SELECT a.datastream, (extract(epoch FROM min(a.begins)) * 1000000)::bigint
  FROM alert a
 WHERE a.datastream = ANY (%(ids)s) AND a.state <> 'withdrawn' AND coalesce(a.ends, 'infinity') >= 'epoch'::timestamptz + %(low)s * interval '1 us'
 GROUP BY a.datastream
