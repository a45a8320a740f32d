-- Observations changed and deleted one by one, and what follows from them (18-088, 8.2.4 and 10.2).
-- A value that a person set outranks telemetry that comes later (decisions.md 13).
ALTER TABLE observation ADD COLUMN manual boolean NOT NULL DEFAULT false;

-- Which FeaturesOfInterest the Observations of a Datastream have: its observedArea, and what goes with a FeatureOfInterest.
CREATE TABLE datastream_feature (
    datastream_id bigint NOT NULL REFERENCES datastream ON DELETE CASCADE,
    feature_id    bigint NOT NULL REFERENCES feature_of_interest ON DELETE CASCADE,
    PRIMARY KEY (datastream_id, feature_id)
);
CREATE INDEX datastream_feature_feature ON datastream_feature (feature_id);

-- The bounding box of places in GeoJSON: a Point where they are one, NULL where there is none.
CREATE FUNCTION bounds_of(places jsonb[]) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE
             WHEN min(lon) IS NULL OR min(lat) IS NULL THEN NULL
             WHEN min(lon) = max(lon) AND min(lat) = max(lat)
             THEN jsonb_build_object('type', 'Point', 'coordinates', jsonb_build_array(min(lon), min(lat)))
             ELSE jsonb_build_object('type', 'Polygon', 'coordinates', jsonb_build_array(jsonb_build_array(
                      jsonb_build_array(min(lon), min(lat)), jsonb_build_array(max(lon), min(lat)), jsonb_build_array(max(lon), max(lat)),
                      jsonb_build_array(min(lon), max(lat)), jsonb_build_array(min(lon), min(lat)))))
           END
      FROM (SELECT (position -> 0)::numeric AS lon, (position -> 1)::numeric AS lat
              FROM unnest(places) AS place,
                   jsonb_path_query(place, 'strict $.** ? (@.type() == "array" && @[0].type() == "number" && @[1].type() == "number")')
                       AS position) AS positions
$$;

CREATE FUNCTION derive_area(asked bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    area jsonb;
BEGIN
    -- A statement of its own: the next one sees what the former holder of the lock committed.
    PERFORM FROM datastream WHERE id = asked FOR NO KEY UPDATE;
    SELECT bounds_of(array_agg(f.feature)) INTO area
      FROM datastream_feature df JOIN feature_of_interest f ON f.id = df.feature_id WHERE df.datastream_id = asked;
    UPDATE datastream SET observed_area = area WHERE id = asked AND observed_area IS DISTINCT FROM area;
END $$;

CREATE FUNCTION area_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM derive_area(CASE TG_OP WHEN 'DELETE' THEN OLD.datastream_id ELSE NEW.datastream_id END);
    RETURN NULL;
END $$;
CREATE FUNCTION feature_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM derive_area(datastream_id) FROM (SELECT datastream_id FROM datastream_feature WHERE feature_id = NEW.id ORDER BY 1) AS df;
    RETURN NULL;
END $$;
INSERT INTO datastream_feature SELECT DISTINCT o.datastream_id, o.feature_id
  FROM observation o JOIN datastream d ON d.id = o.datastream_id JOIN feature_of_interest f ON f.id = o.feature_id WHERE NOT o.deleted;
CREATE TRIGGER area_changed AFTER INSERT OR DELETE ON datastream_feature FOR EACH ROW EXECUTE FUNCTION area_changed();
CREATE TRIGGER feature_moved AFTER UPDATE OF feature ON feature_of_interest FOR EACH ROW EXECUTE FUNCTION feature_moved();

-- observedArea follows Observations and is nothing that judging needs to hear of; limits of an ObservedProperty are.
DROP TRIGGER registry_changed ON datastream;
CREATE TRIGGER registry_changed AFTER INSERT OR DELETE
    OR UPDATE OF unit_of_measurement, properties, thing_id, observed_property_id ON datastream
    FOR EACH STATEMENT EXECUTE FUNCTION notify_registry();
CREATE TRIGGER registry_changed AFTER UPDATE ON observed_property FOR EACH STATEMENT EXECUTE FUNCTION notify_registry();
CREATE TRIGGER registry_changed AFTER DELETE ON feature_of_interest FOR EACH STATEMENT EXECUTE FUNCTION notify_registry();
