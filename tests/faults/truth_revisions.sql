-- Revisions that do not lead to the row as it is, or do not begin where the one before ended. Reads the session's view of `observation`.
WITH chain AS (
    SELECT r.*, lag(new) OVER w AS before, lead(id) OVER w AS later
      FROM revision r WHERE datastream_id IN (SELECT datastream_id FROM observation)
    WINDOW w AS (PARTITION BY datastream_id, phenomenon_time, discriminator ORDER BY id)
)
SELECT c.id, c.cause, c.old, c.new, o.number, o.flag
  FROM chain c LEFT JOIN observation o USING (datastream_id, phenomenon_time, discriminator)
 WHERE (c.later IS NULL AND NOT coalesce(o.deleted, true)
        AND ((c.new ->> 'number')::float8 IS DISTINCT FROM o.number OR (c.new ->> 'flag')::int IS DISTINCT FROM o.flag))
    OR (c.before IS NOT NULL
        AND ((c.before ->> 'number') IS DISTINCT FROM (c.old ->> 'number') OR (c.before ->> 'flag') IS DISTINCT FROM (c.old ->> 'flag')))
