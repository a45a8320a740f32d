-- The summary holds the latest Observation whole: the latest values of 1,000 Datastreams are 1,000 rows of one small table, whatever
-- the number of chunks. `read.latest_observation` looks as a row of `read.observation` does to a SensorThings reader.
ALTER TABLE datastream_summary
    ADD COLUMN latest_end         timestamptz,
    ADD COLUMN latest_result_time timestamptz,
    ADD COLUMN latest_valid_start timestamptz,
    ADD COLUMN latest_valid_end   timestamptz,
    ADD COLUMN latest_tests       bigint  NOT NULL DEFAULT 0,
    ADD COLUMN latest_ruleset     integer NOT NULL DEFAULT 0,
    ADD COLUMN latest_feature_id  bigint,
    ADD COLUMN latest_parameters  jsonb,
    ADD COLUMN latest_quality     jsonb;

UPDATE datastream_summary s
   SET latest_end = o.phenomenon_end, latest_result_time = o.result_time, latest_valid_start = o.valid_start, latest_valid_end = o.valid_end,
       latest_tests = o.tests, latest_ruleset = o.ruleset, latest_feature_id = o.feature_id, latest_parameters = o.parameters,
       latest_quality = o.quality
  FROM observation o
 WHERE o.datastream_id = s.datastream_id AND o.phenomenon_time = s.last_time AND o.discriminator = s.latest_discriminator;

DROP VIEW read.latest_observation;
CREATE VIEW read.latest_observation AS
SELECT latest_id AS id, datastream_id, last_time AS phenomenon_time, latest_end AS phenomenon_end, latest_result_time AS result_time,
       latest_valid_start AS valid_start, latest_valid_end AS valid_end, latest_number AS number, latest_result AS result,
       latest_flag AS flag, latest_tests AS tests, latest_ruleset AS ruleset, latest_feature_id AS feature_id,
       latest_parameters AS parameters, latest_quality AS quality, n
  FROM datastream_summary;
GRANT SELECT ON read.latest_observation TO grenzregion_reader;
