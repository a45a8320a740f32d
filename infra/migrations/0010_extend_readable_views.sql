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
SELECT place.id
  FROM (SELECT tl.location_id AS id FROM thing t JOIN thing_location tl ON tl.thing_id = t.id WHERE NOT t.public
        UNION
        SELECT hl.location_id FROM thing t JOIN historical_location h ON h.thing_id = t.id
          JOIN historical_location_location hl ON hl.historical_location_id = h.id WHERE NOT t.public) place
 WHERE NOT EXISTS (SELECT FROM thing_location tl JOIN thing t ON t.id = tl.thing_id WHERE tl.location_id = place.id AND t.public)
   AND NOT EXISTS (SELECT FROM historical_location_location hl JOIN historical_location h ON h.id = hl.historical_location_id
                     JOIN thing t ON t.id = h.thing_id WHERE hl.location_id = place.id AND t.public);
CREATE VIEW read.hidden_feature AS
SELECT l.feature_id AS id FROM read.hidden_location h JOIN location l ON l.id = h.id WHERE l.feature_id IS NOT NULL;
CREATE VIEW read.hidden_sensor AS
SELECT d.sensor_id AS id FROM thing t JOIN datastream d ON d.thing_id = t.id WHERE NOT t.public
   AND NOT EXISTS (SELECT FROM datastream o JOIN thing p ON p.id = o.thing_id WHERE o.sensor_id = d.sensor_id AND p.public);

-- The latest Observation of each Datastream, and how many there are: the summary knows where it is.
CREATE VIEW read.latest_observation AS
SELECT o.*, s.n FROM datastream_summary s
  JOIN observation o ON o.datastream_id = s.datastream_id AND o.phenomenon_time = s.last_time AND o.discriminator = s.latest_discriminator
 WHERE NOT o.deleted;
GRANT SELECT ON ALL TABLES IN SCHEMA read TO grenzregion_reader;
