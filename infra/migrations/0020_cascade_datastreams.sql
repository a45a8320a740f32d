-- What belongs to a Datastream goes with it (18-088, 10.2.3), whichever way it is deleted: alone, or with its Thing, Sensor or
-- ObservedProperty. Rows of observation have no foreign key: it would cost every insert.
CREATE FUNCTION forget_datastreams() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM observation        WHERE datastream_id IN (SELECT id FROM gone);
    DELETE FROM aggregate          WHERE datastream_id IN (SELECT id FROM gone);
    DELETE FROM datastream_summary WHERE datastream_id IN (SELECT id FROM gone);
    DELETE FROM revision           WHERE datastream_id IN (SELECT id FROM gone);
    RETURN NULL;
END $$;
CREATE TRIGGER datastream_gone AFTER DELETE ON datastream
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_datastreams();

-- The history of a place goes with the place (18-088, table 25).
CREATE FUNCTION forget_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM historical_location h
     USING historical_location_location l
     WHERE l.historical_location_id = h.id AND l.location_id = OLD.id;
    RETURN OLD;
END $$;
CREATE TRIGGER location_gone BEFORE DELETE ON location FOR EACH ROW EXECUTE FUNCTION forget_history();
