-- First half of a recomputation: the buckets of these readings are emptied. A statement of its own, so that the second half sees
-- what a concurrent writer committed while this one waited for its lock.
DELETE FROM aggregate a
 USING (SELECT DISTINCT u.datastream_id, u.at, t.timezone
          FROM unnest(%(datastreams)s::bigint[], %(times)s::timestamptz[]) AS u (datastream_id, at)
          JOIN datastream d ON d.id = u.datastream_id JOIN thing t ON t.id = d.thing_id) AS touched
 WHERE a.datastream_id = touched.datastream_id
   AND (a.span, a.bucket) IN (('quarter_hour', date_bin('15 min', touched.at, '2000-01-01Z')),
                              ('hour', date_trunc('hour', touched.at, 'UTC')),
                              ('day', date_trunc('day', touched.at, touched.timezone)))
