-- Formulas that are declared no more; Observations made by them stay as they are.
WITH gone AS (
    DELETE FROM virtual_datastream WHERE datastream_id = ANY (%(ids)s)
),
queued AS (
    DELETE FROM virtual_queue WHERE datastream_id = ANY (%(ids)s)
)
DELETE FROM virtual_input WHERE datastream_id = ANY (%(ids)s)
