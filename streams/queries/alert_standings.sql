-- How far Datastreams are and were when their alerts were evaluated last.
SELECT d.id, (extract(epoch FROM s.end_time) * 1000000)::bigint, g.watches, (extract(epoch FROM g.ended) * 1000000)::bigint,
       (extract(epoch FROM g.due_at) * 1000000)::bigint
  FROM datastream d
  LEFT JOIN datastream_summary s ON s.datastream_id = d.id
  LEFT JOIN alert_progress g ON g.datastream = d.id
 WHERE d.id = ANY (%(ids)s)
