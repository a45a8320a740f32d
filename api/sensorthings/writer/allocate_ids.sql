-- Ids for all new entities at once, so that one set's rows can point to another's before either is written.
-- Datastreams of both sets share a table, and so a sequence.
SELECT name, nextval(pg_get_serial_sequence(CASE WHEN name IN ('single_datastream', 'multi_datastream') THEN 'datastream' ELSE name END, 'id')) AS id
  FROM jsonb_to_recordset(%(wanted)s::jsonb) AS w (name text, n integer), generate_series(1, n)
