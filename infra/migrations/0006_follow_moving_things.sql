-- Moving Things (decisions.md 10): their Location is the newest position by event time, and at most one HistoricalLocation per
-- 30 s of event time keeps where they were, with a Location of its own.
ALTER TABLE location ADD COLUMN moved timestamptz;              -- event time of a position that telemetry brought
ALTER TABLE historical_location ADD COLUMN slot timestamptz;    -- start of its 30 s, for those that telemetry made
CREATE UNIQUE INDEX historical_location_slot ON historical_location (thing_id, slot);

-- A move is no change of the registry: nobody shall read it again because a bus drives.
DROP TRIGGER registry_changed ON location;
CREATE TRIGGER registry_changed AFTER UPDATE ON location FOR EACH ROW
    WHEN (OLD.moved IS NOT DISTINCT FROM NEW.moved) EXECUTE FUNCTION notify_registry();

CREATE FUNCTION point_json(lon double precision, lat double precision, height double precision) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object('type', 'Point', 'coordinates',
                              CASE WHEN height IS NULL THEN jsonb_build_array(lon, lat) ELSE jsonb_build_array(lon, lat, height) END)
$$;

-- Of the positions in a slot the earliest stands for it, and of all positions the newest is the Location: neither depends on the
-- order in which they come. One partition, so one writer, has all readings of a device.
CREATE FUNCTION follow(moving bigint, at timestamptz, lon double precision, lat double precision, height double precision) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    its_slot CONSTANT timestamptz := date_bin('30 s', at, '2000-01-01Z');
    place CONSTANT jsonb := point_json(lon, lat, height);
    history historical_location%ROWTYPE;
    kept bigint;
BEGIN
    UPDATE location l SET location = place, moved = at
      FROM thing_location tl WHERE tl.thing_id = moving AND l.id = tl.location_id AND (l.moved IS NULL OR l.moved < at);
    SELECT * INTO history FROM historical_location WHERE thing_id = moving AND slot = its_slot;
    IF history.id IS NULL THEN
        INSERT INTO location (name, description, encoding_type, location)
        SELECT t.name, 'where it was', 'application/geo+json', place FROM thing t WHERE t.id = moving RETURNING id INTO kept;
        INSERT INTO historical_location (time, thing_id, slot) VALUES (at, moving, its_slot) RETURNING * INTO history;
        INSERT INTO historical_location_location VALUES (history.id, kept);
    ELSIF at < history.time THEN
        UPDATE historical_location SET time = at WHERE id = history.id;
        UPDATE location l SET location = place
          FROM historical_location_location hl WHERE hl.historical_location_id = history.id AND l.id = hl.location_id;
    END IF;
END $$;
