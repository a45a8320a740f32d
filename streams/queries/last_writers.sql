-- Who wrote these Datastreams last, and from when to when they have rows; and who asks. Asked once their lock is held.
SELECT s.datastream_id, s.written::text::bigint, (extract(epoch FROM s.first_time) * 1000000)::bigint,
       (extract(epoch FROM s.last_time) * 1000000)::bigint, me.xid::text::bigint
  FROM (SELECT pg_current_xact_id() AS xid) AS me LEFT JOIN datastream_summary s ON s.datastream_id = ANY (%(ids)s)
