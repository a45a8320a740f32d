-- ObservedProperties of new MultiDatastreams, ranked as they came.
INSERT INTO multi_datastream_observed_property (multi_datastream_id, rank, observed_property_id)
SELECT multi_datastream_id, row_number() OVER (PARTITION BY multi_datastream_id ORDER BY place), observed_property_id
  FROM ROWS FROM (jsonb_to_recordset(%(pairs)s::jsonb) AS (multi_datastream_id bigint, observed_property_id bigint))
       WITH ORDINALITY AS p (multi_datastream_id, observed_property_id, place)
