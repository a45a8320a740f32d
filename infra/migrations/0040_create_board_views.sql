-- What Grafana's boards select from. Public Things alone: whoever may open Grafana need not have a right to the hidden ones.
-- A value that a SensorThings client wrote in another type than ours (interval_s as a text, a polygon for a point) counts as absent.
CREATE VIEW read.board_station AS
SELECT t.id                                    AS thing_id,
       t.name                                  AS station,
       coalesce(t.properties ->> 'theme', '')        AS theme,
       coalesce(t.properties ->> 'municipality', '') AS municipality,
       coalesce(t.properties ->> 'source', '')       AS source,
       t.timezone,
       -- Recordings from elsewhere are no part of the region's figures (decisions.md 9); a Thing without a place is taken for ours.
       CASE WHEN place.lon BETWEEN 8.2 AND 10.2 AND place.lat BETWEEN 54.25 AND 55.25 OR place.lon IS NULL THEN 'region' ELSE 'elsewhere' END AS area,
       place.lon,
       place.lat
  FROM thing t
  LEFT JOIN LATERAL (
       SELECT (point #>> '{coordinates,0}')::double precision AS lon, (point #>> '{coordinates,1}')::double precision AS lat
         FROM thing_location tl
         JOIN location l ON l.id = tl.location_id
        CROSS JOIN LATERAL (SELECT coalesce(l.location -> 'geometry', l.location) AS point) AS shape
        WHERE tl.thing_id = t.id
          AND point ->> 'type' = 'Point'
          AND jsonb_typeof(point #> '{coordinates,0}') = 'number'
          AND jsonb_typeof(point #> '{coordinates,1}') = 'number'
        ORDER BY l.id
        LIMIT 1) AS place ON true
 WHERE t.public;

-- reporting: the newest reading is younger than three intervals, at least a quarter of an hour; without an interval, than a day.
CREATE VIEW read.board_datastream AS
SELECT d.id AS datastream_id,
       st.*,
       d.name,
       d.channel,
       coalesce(p.properties ->> 'key', p.name) AS property,
       p.name                        AS property_name,
       coalesce(d.properties -> 'names', p.properties -> 'names') AS names,
       -- Only figures of one unit may share an axis; the catalogue's symbols belong to its unit.
       c.comparable,
       CASE WHEN c.comparable THEN p.properties -> 'symbols' END AS symbols,
       d.properties                  AS properties,
       d.unit_of_measurement ->> 'symbol' AS unit,
       i.interval_s,
       s.first_time,
       s.end_time,
       s.latest_number,
       coalesce(s.latest_number::text, s.latest_result #>> '{}') AS latest,
       s.latest_flag,
       coalesce(s.end_time > now() - coalesce(greatest(make_interval(secs => 3 * i.interval_s), interval '15 minutes'), interval '1 day'),
                false) AS reporting
  FROM datastream d
  JOIN read.board_station st ON st.thing_id = d.thing_id
  JOIN observed_property p ON p.id = d.observed_property_id
  LEFT JOIN datastream_summary s ON s.datastream_id = d.id
 CROSS JOIN LATERAL (
       SELECT CASE WHEN jsonb_typeof(d.properties -> 'interval_s') = 'number' AND (d.properties ->> 'interval_s')::numeric BETWEEN 0.001 AND 31622400
                   THEN (d.properties ->> 'interval_s')::double precision END AS interval_s) AS i
 CROSS JOIN LATERAL (
       SELECT coalesce(d.unit_of_measurement ->> 'definition' = p.properties ->> 'unit', true) AS comparable) AS c;

CREATE VIEW read.board_aggregate AS
SELECT datastream_id, span, bucket, flag, n, numbers, sum, min, max FROM aggregate;

-- The bytes of a letter stay out: they may hold what a device should not have sent.
CREATE VIEW read.board_dead_letter AS SELECT received, tenant, device, reason, readings FROM dead_letter;

-- The span of the buckets that suit a time range: 200 to 1,100 points.
CREATE FUNCTION read.board_span(seconds bigint) RETURNS aggregate_span LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN seconds <= 2 * 86400 THEN 'quarter_hour' WHEN seconds <= 45 * 86400 THEN 'hour' ELSE 'day' END::aggregate_span;

-- A board's variable with several values; '*' stands for all.
CREATE FUNCTION read.board_chosen(value text, chosen text[]) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN '*' = ANY (chosen) OR value = ANY (chosen);

-- Starts of the buckets that begin within [starts, ends], none in the future.
CREATE FUNCTION read.board_bucket(span aggregate_span, timezone text, starts timestamptz, ends timestamptz)
RETURNS SETOF timestamptz LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT b
      FROM generate_series(
               CASE WHEN span = 'quarter_hour' THEN date_bin('15 minutes', starts, 'epoch')
                    ELSE date_trunc(span::text, starts, CASE WHEN span IN ('day', 'month') THEN timezone ELSE 'UTC' END) END,
               least(ends, now()),
               CASE span WHEN 'quarter_hour' THEN '15 minutes' WHEN 'hour' THEN '1 hour' WHEN 'day' THEN '1 day' ELSE '1 month' END::interval,
               CASE WHEN span IN ('day', 'month') THEN timezone ELSE 'UTC' END) AS b
     WHERE b >= starts;
END;

-- How many readings were due in the buckets that begin within [starts, ends]: from the first reading on (a station is not incomplete
-- before it was there), until one interval ago (the newest may still be under way). NULL without an interval.
CREATE FUNCTION read.board_due(
    span aggregate_span, timezone text, first_time timestamptz, interval_s double precision, starts timestamptz, ends timestamptz
) RETURNS double precision LANGUAGE sql STABLE PARALLEL SAFE
RETURN greatest(0, extract(epoch FROM
    least(now() - make_interval(secs => interval_s),
          CASE span WHEN 'quarter_hour' THEN date_bin('15 minutes', ends, 'epoch') + interval '15 minutes'
                    WHEN 'hour' THEN date_bin('1 hour', ends, 'epoch') + interval '1 hour'
                    ELSE (date_trunc('day', ends AT TIME ZONE timezone) + interval '1 day') AT TIME ZONE timezone END)
    - greatest(first_time,
          CASE span WHEN 'quarter_hour' THEN date_bin('15 minutes', starts - interval '1 microsecond', 'epoch') + interval '15 minutes'
                    WHEN 'hour' THEN date_bin('1 hour', starts - interval '1 microsecond', 'epoch') + interval '1 hour'
                    ELSE (date_trunc('day', (starts - interval '1 microsecond') AT TIME ZONE timezone) + interval '1 day') AT TIME ZONE timezone END)
    ) / interval_s);
GRANT SELECT ON ALL TABLES IN SCHEMA read TO grenzregion_reader;
