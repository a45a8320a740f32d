-- Ids for all new entities at once, so that one set's rows can point to another's before either is written.
SELECT name, nextval(pg_get_serial_sequence(name, 'id')) AS id
  FROM jsonb_to_recordset(%(wanted)s::jsonb) AS w (name text, n integer), generate_series(1, n)
