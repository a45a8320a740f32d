-- Observations are ordered by time, Datastream and discriminator, as the unique index has them: the latest of each has them too.
CREATE OR REPLACE VIEW read.latest_observation AS
SELECT latest_id AS id, datastream_id, last_time AS phenomenon_time, latest_end AS phenomenon_end, latest_result_time AS result_time,
       latest_valid_start AS valid_start, latest_valid_end AS valid_end, latest_number AS number, latest_result AS result,
       latest_flag AS flag, latest_tests AS tests, latest_ruleset AS ruleset, latest_feature_id AS feature_id,
       latest_parameters AS parameters, latest_quality AS quality, n, latest_discriminator AS discriminator
  FROM datastream_summary;
