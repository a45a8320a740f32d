-- "Everything" becomes the buckets that the inputs have readings in, and those that were computed before.
INSERT INTO virtual_queue (datastream_id, quarter)
SELECT DISTINCT v.datastream_id, a.bucket
  FROM virtual_input v JOIN aggregate a ON a.datastream_id = v.input_id AND a.span = CASE WHEN %(span)s = 'quarter_hour' THEN 'quarter_hour' ELSE 'hour' END::aggregate_span
 WHERE v.datastream_id = %(id)s
UNION
SELECT o.datastream_id, o.phenomenon_time FROM observation o
 WHERE o.datastream_id = %(id)s AND o.discriminator = 0
