-- Things with a Location each on a grid of a hundred by a hundred over the same area as the benchmark's hundred.
WITH made AS (
    INSERT INTO thing (name, description, properties)
    SELECT 'far ' || i, 'benchmark', jsonb_build_object('no', i) FROM generate_series(0, %(things)s - 1) i
    RETURNING id, (properties ->> 'no')::int AS i
), placed AS (
    INSERT INTO location (name, description, encoding_type, location)
    SELECT 'far ' || i, 'benchmark', 'application/geo+json',
           jsonb_build_object('type', 'Point', 'coordinates', jsonb_build_array(8.3955 + i %% 100 * 0.001, 48.9955 + i / 100 %% 100 * 0.001))
      FROM made
    RETURNING id, substr(name, 5)::int AS i
)
INSERT INTO thing_location (thing_id, location_id) SELECT made.id, placed.id FROM made JOIN placed USING (i)
