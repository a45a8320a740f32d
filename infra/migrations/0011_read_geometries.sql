-- Geometries of Locations and FeaturesOfInterest for geo.* and st_* filters, where PostGIS is installed; elsewhere the API answers 501.
-- What is no GeoJSON (18-088 allows any encodingType) has no geometry, and no filter on it fails.
DO $outer$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'postgis') THEN
        RETURN;
    END IF;
    CREATE FUNCTION read.geometry_of(place jsonb) RETURNS geometry
        LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = public, pg_temp AS $$
    BEGIN
        RETURN ST_SetSRID(ST_GeomFromGeoJSON(CASE WHEN place ->> 'type' = 'Feature' THEN place -> 'geometry' ELSE place END), 4326);
    EXCEPTION WHEN internal_error OR data_exception THEN
        RETURN NULL;
    END $$;
    CREATE INDEX location_geometry ON location USING gist (read.geometry_of(location));
    CREATE INDEX feature_of_interest_geometry ON feature_of_interest USING gist (read.geometry_of(feature));
END $outer$;
