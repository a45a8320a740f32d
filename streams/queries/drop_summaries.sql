-- A Datastream without Observations has no summary.
DELETE FROM datastream_summary s
 WHERE s.datastream_id = ANY (%(datastreams)s)
   AND NOT EXISTS (SELECT FROM observation o WHERE o.datastream_id = s.datastream_id AND NOT o.deleted)
