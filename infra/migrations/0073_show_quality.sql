-- What the board on quality selects from: verdicts of single tests, and values that changed after their bucket had been closed.
-- Public Things only, by read.board_datastream. Nibbles in the order of streams/quality/tests.py.
CREATE VIEW read.board_verdict AS
SELECT o.datastream_id, o.phenomenon_time, test.name AS test, (o.tests >> (4 * (test.place - 1))::integer & 15)::smallint AS flag
  FROM observation o
 CROSS JOIN LATERAL unnest(ARRAY['syntax', 'timing_gap', 'location', 'gross_range', 'climatology', 'spike', 'rate_of_change', 'flat_line',
                                 'attenuated_signal', 'hampel', 'neighbour', 'counter_reset', 'duplicate']) WITH ORDINALITY AS test (name, place)
 WHERE NOT o.deleted AND o.flag IN (3, 4) AND o.tests >> (4 * (test.place - 1))::integer & 15 IN (3, 4);
CREATE VIEW read.board_revised AS
SELECT datastream_id, date_bin('15 minutes', phenomenon_time, '2000-01-01Z') AS bucket, at, cause FROM read.revised;
GRANT SELECT ON read.board_verdict, read.board_revised TO grenzregion_reader;
