-- Rows of a group's Datastreams in spans of time (microseconds).
SELECT DISTINCT o.datastream_id, (extract(epoch FROM o.phenomenon_time) * 1000000)::bigint, o.discriminator, o.number, o.tests, o.flag, o.ruleset,
       o.number IS NULL AND o.result IS NULL, false, false
  FROM unnest(%(low)s::bigint[], %(high)s::bigint[]) AS u (low, high)
  JOIN observation o ON o.phenomenon_time >= 'epoch'::timestamptz + low * interval '1 us'
                    AND o.phenomenon_time <= 'epoch'::timestamptz + high * interval '1 us'
 WHERE o.datastream_id = ANY (%(ids)s) AND NOT o.deleted
