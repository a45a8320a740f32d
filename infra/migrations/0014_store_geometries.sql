-- Geometries are made from GeoJSON when they are written, not at each look at them: that cost 10 µs a row, and a filter among thousands
-- of places looks at thousands. Without PostGIS there are none, as before (0011).
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'postgis') THEN
        RETURN;
    END IF;
    ALTER TABLE location ADD COLUMN shape geometry GENERATED ALWAYS AS (read.geometry_of(location)) STORED;
    ALTER TABLE feature_of_interest ADD COLUMN shape geometry GENERATED ALWAYS AS (read.geometry_of(feature)) STORED;
    DROP INDEX location_geometry, feature_of_interest_geometry;
    CREATE INDEX location_shape ON location USING gist (shape);
    CREATE INDEX feature_of_interest_shape ON feature_of_interest USING gist (shape);
    CREATE OR REPLACE VIEW read.location AS SELECT * FROM location;
    CREATE OR REPLACE VIEW read.feature_of_interest AS SELECT * FROM feature_of_interest;
END $$;
