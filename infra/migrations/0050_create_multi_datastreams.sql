-- MultiDatastreams (18-088, 8.3) are rows of `datastream` without a unit and an ObservedProperty of their own: the store, the summaries,
-- the rights and the uniqueness of a channel hold for both, and both take their ids from one sequence.
ALTER TABLE datastream
    ALTER COLUMN unit_of_measurement DROP NOT NULL,
    ALTER COLUMN observed_property_id DROP NOT NULL,
    ADD COLUMN multi_observation_data_types jsonb,
    ADD COLUMN unit_of_measurements jsonb,   -- in the order of the ObservedProperties and of the parts of each result
    ADD CONSTRAINT datastream_is_single_or_multi CHECK (
        CASE WHEN unit_of_measurements IS NULL
             THEN unit_of_measurement IS NOT NULL AND observed_property_id IS NOT NULL AND multi_observation_data_types IS NULL
             ELSE unit_of_measurement IS NULL AND observed_property_id IS NULL
                  AND jsonb_array_length(multi_observation_data_types) = jsonb_array_length(unit_of_measurements) END);

CREATE TABLE multi_datastream_observed_property (
    multi_datastream_id  bigint  NOT NULL REFERENCES datastream ON DELETE CASCADE,
    rank                 integer NOT NULL,   -- from 1: place in the arrays
    observed_property_id bigint  NOT NULL REFERENCES observed_property ON DELETE CASCADE,
    PRIMARY KEY (multi_datastream_id, rank)
);
CREATE INDEX multi_datastream_observed_property_other ON multi_datastream_observed_property (observed_property_id);

-- Each set as if it had a table of its own: writers write through these views, and neither set shows or changes the other's rows.
CREATE VIEW single_datastream AS SELECT * FROM datastream WHERE unit_of_measurements IS NULL WITH CHECK OPTION;
CREATE VIEW multi_datastream AS SELECT * FROM datastream WHERE unit_of_measurements IS NOT NULL WITH CHECK OPTION;

CREATE VIEW read.single_datastream AS SELECT * FROM read.datastream WHERE unit_of_measurement IS NOT NULL;
CREATE VIEW read.multi_datastream AS
SELECT r.*, d.multi_observation_data_types, d.unit_of_measurements
  FROM read.datastream r JOIN datastream d ON d.id = r.id
 WHERE r.unit_of_measurement IS NULL;
CREATE VIEW read.multi_datastream_observed_property AS SELECT * FROM multi_datastream_observed_property;
-- The ObservedProperties of a MultiDatastream in the order of its results.
CREATE VIEW read.ranked_observed_property AS
SELECT p.*, l.multi_datastream_id, l.rank
  FROM multi_datastream_observed_property l JOIN observed_property p ON p.id = l.observed_property_id;
GRANT SELECT ON ALL TABLES IN SCHEMA read TO grenzregion_reader;

-- A MultiDatastream goes with any of its ObservedProperties (18-088, table 25).
CREATE FUNCTION forget_multi_datastreams() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM datastream WHERE id IN (SELECT multi_datastream_id FROM multi_datastream_observed_property WHERE observed_property_id = OLD.id);
    RETURN OLD;
END $$;
CREATE TRIGGER observed_property_gone BEFORE DELETE ON observed_property FOR EACH ROW EXECUTE FUNCTION forget_multi_datastreams();
CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE ON multi_datastream_observed_property
    FOR EACH STATEMENT EXECUTE FUNCTION notify_registry();
