-- Rows that the batch meets, locked in sorted order: only then is it certain which copy wins. Gives the Datastreams where it met a
-- tombstone: what was sent to its place is not there.
SELECT DISTINCT datastream_id FROM (
    SELECT o.datastream_id, o.deleted FROM observation o
     WHERE (o.datastream_id, o.phenomenon_time, o.discriminator) IN (
               SELECT datastream_id, phenomenon_time, coalesce(discriminator, id) FROM stage)
       AND o.phenomenon_time BETWEEN (SELECT min(phenomenon_time) FROM stage) AND (SELECT max(phenomenon_time) FROM stage)
     ORDER BY o.datastream_id, o.phenomenon_time, o.discriminator FOR UPDATE) AS rivals
 WHERE deleted
