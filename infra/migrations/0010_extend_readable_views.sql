-- What the SensorThings reader needs beyond the plain views: derived times of a Datastream, and what anonymous readers must not
-- see (decisions.md 8). A view is joined by its unique key, so a query that asks for no derived time pays nothing for it.
CREATE OR REPLACE VIEW read.datastream AS
SELECT d.*, s.first_time AS phenomenon_start, s.end_time AS phenomenon_end, s.result_first AS result_start, s.result_last AS result_end
  FROM datastream d LEFT JOIN datastream_summary s ON s.datastream_id = d.id;

CREATE INDEX thing_private ON thing (id) WHERE NOT public;

CREATE VIEW read.hidden_thing AS SELECT id FROM thing WHERE NOT public;
CREATE VIEW read.hidden_datastream AS
SELECT d.id FROM thing t JOIN datastream d ON d.thing_id = t.id WHERE NOT t.public;

-- Hidden when every Thing that uses or used it is private; used by none, it is nobody's secret.
CREATE VIEW read.hidden_location AS
WITH place AS (
    SELECT thing_id, location_id FROM thing_location
    UNION
    SELECT h.thing_id, l.location_id FROM historical_location h JOIN historical_location_location l ON l.historical_location_id = h.id
)
SELECT DISTINCT p.location_id AS id FROM thing t JOIN place p ON p.thing_id = t.id WHERE NOT t.public
   AND NOT EXISTS (SELECT FROM place o JOIN thing q ON q.id = o.thing_id WHERE o.location_id = p.location_id AND q.public);
CREATE VIEW read.hidden_feature AS
SELECT l.feature_id AS id FROM read.hidden_location h JOIN location l ON l.id = h.id WHERE l.feature_id IS NOT NULL;
CREATE VIEW read.hidden_sensor AS
SELECT d.sensor_id AS id FROM thing t JOIN datastream d ON d.thing_id = t.id WHERE NOT t.public
   AND NOT EXISTS (SELECT FROM datastream o JOIN thing p ON p.id = o.thing_id WHERE o.sensor_id = d.sensor_id AND p.public);
GRANT SELECT ON ALL TABLES IN SCHEMA read TO grenzregion_reader;
