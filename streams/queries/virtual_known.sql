-- Formulas as they were read last.
SELECT datastream_id, definition, problem FROM virtual_datastream
