-- Readers never see tables: the API and Grafana select from these views through roles that can do nothing else.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'grenzregion_reader') THEN
        CREATE ROLE grenzregion_reader NOLOGIN;
    END IF;
END $$;

CREATE VIEW read.thing AS SELECT * FROM thing;
CREATE VIEW read.location AS SELECT * FROM location;
CREATE VIEW read.thing_location AS SELECT * FROM thing_location;
CREATE VIEW read.historical_location AS SELECT * FROM historical_location;
CREATE VIEW read.historical_location_location AS SELECT * FROM historical_location_location;
CREATE VIEW read.sensor AS SELECT * FROM sensor;
CREATE VIEW read.observed_property AS SELECT * FROM observed_property;
CREATE VIEW read.datastream AS SELECT * FROM datastream;
CREATE VIEW read.feature_of_interest AS SELECT * FROM feature_of_interest;
CREATE VIEW read.observation AS SELECT * FROM observation WHERE NOT deleted;
CREATE VIEW read.aggregate_quarter_hour AS
    SELECT datastream_id, bucket, flag, n, numbers, sum, sum_squares, min, max, first_time, first_number, last_time, last_number
      FROM aggregate WHERE span = 'quarter_hour';
CREATE VIEW read.aggregate_hour AS
    SELECT datastream_id, bucket, flag, n, numbers, sum, sum_squares, min, max, first_time, first_number, last_time, last_number
      FROM aggregate WHERE span = 'hour';
CREATE VIEW read.aggregate_day AS
    SELECT datastream_id, bucket, flag, n, numbers, sum, sum_squares, min, max, first_time, first_number, last_time, last_number
      FROM aggregate WHERE span = 'day';
CREATE VIEW read.datastream_summary AS SELECT * FROM datastream_summary;
CREATE VIEW read.revision AS SELECT * FROM revision;
CREATE VIEW read.device_state AS SELECT * FROM device_state;

GRANT USAGE ON SCHEMA read TO grenzregion_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA read TO grenzregion_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA read GRANT SELECT ON TABLES TO grenzregion_reader;
