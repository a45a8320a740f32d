-- Closed figures of public Things that changed, the latest change first.
SELECT r.datastream_id, d.name, t.name,
       CASE WHEN %(span)s = 'quarter_hour' THEN date_bin('15 minutes', r.phenomenon_time, '2000-01-01Z')
            ELSE date_trunc(%(span)s, r.phenomenon_time, CASE WHEN %(span)s IN ('day', 'month') THEN t.timezone ELSE 'UTC' END) END AS bucket,
       count(*), min(r.at), max(r.at), array_agg(DISTINCT r.cause ORDER BY r.cause)
  FROM read.revised r
  JOIN read.datastream d ON d.id = r.datastream_id
  JOIN read.thing t ON t.id = d.thing_id
 WHERE t.public AND r.at >= %(since)s AND r.at < %(until)s AND (%(datastream)s::bigint IS NULL OR r.datastream_id = %(datastream)s)
 GROUP BY r.datastream_id, d.name, t.name, 4
 ORDER BY 7 DESC, 1, 4
 LIMIT %(most)s
