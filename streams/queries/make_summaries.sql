-- A Datastream that got its first Observation by a change of that one has no summary yet.
INSERT INTO datastream_summary (datastream_id, n, first_time, last_time, end_time, latest_id, latest_discriminator, latest_number, latest_result,
                                latest_flag, changed)
SELECT DISTINCT ON (o.datastream_id) o.datastream_id, 1, o.phenomenon_time, o.phenomenon_time, o.phenomenon_time, o.id, o.discriminator, o.number,
       o.result, o.flag, clock_timestamp()
  FROM observation o
 WHERE o.datastream_id = ANY (%(datastreams)s) AND NOT o.deleted
   AND NOT EXISTS (SELECT FROM datastream_summary s WHERE s.datastream_id = o.datastream_id)
 ORDER BY o.datastream_id, o.phenomenon_time DESC, o.discriminator DESC
