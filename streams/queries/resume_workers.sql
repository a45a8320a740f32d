-- Paused workers go on as soon as their row is gone.
WITH resumed AS (
    DELETE FROM worker_pause WHERE %(worker)s::text IS NULL OR worker = %(worker)s RETURNING *
)
INSERT INTO intervention (who, what, detail)
SELECT %(who)s, 'resume', to_jsonb(resumed) FROM resumed
RETURNING detail ->> 'worker'
