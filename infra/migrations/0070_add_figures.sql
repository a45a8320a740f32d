-- More figures in the aggregates: directions, the rulesets that judged, months; and how much was due in a bucket.
-- A mean direction comes from sums of rounded sines and cosines (millionths): integers, so their order does not matter (decisions.md 14).
-- Kept for every Datastream in degrees: its unit can't change once there are rows, whereas its ObservedProperty can.
ALTER TABLE datastream
    ADD COLUMN angle boolean GENERATED ALWAYS AS (coalesce(unit_of_measurement ->> 'definition' = 'deg', false)) STORED;
ALTER TABLE aggregate
    ADD COLUMN sin_sum      bigint,
    ADD COLUMN cos_sum      bigint,
    ADD COLUMN ruleset_low  integer NOT NULL DEFAULT 1,
    ADD COLUMN ruleset_high integer NOT NULL DEFAULT 1;
UPDATE aggregate a
   SET sin_sum = s.sin_sum, cos_sum = s.cos_sum
  FROM (SELECT g.datastream_id, g.span, g.bucket, g.flag,
               sum(round(sind(o.number) * 1e6))::bigint AS sin_sum, sum(round(cosd(o.number) * 1e6))::bigint AS cos_sum
          FROM aggregate g
          JOIN datastream d ON d.id = g.datastream_id AND d.angle
          JOIN observation o ON o.datastream_id = g.datastream_id AND o.flag = g.flag AND NOT o.deleted
                            AND o.phenomenon_time BETWEEN g.first_time AND g.last_time
         GROUP BY 1, 2, 3, 4) AS s
 WHERE (a.datastream_id, a.span, a.bucket, a.flag) = (s.datastream_id, s.span, s.bucket, s.flag);

-- One more span is no more work for those who write: a month is the sum of its local days, which are there (ADR 14).
CREATE OR REPLACE VIEW read.aggregate_quarter_hour AS
    SELECT datastream_id, bucket, flag, n, numbers, sum, sum_squares, min, max, first_time, first_number, last_time, last_number,
           sin_sum, cos_sum, ruleset_low, ruleset_high FROM aggregate WHERE span = 'quarter_hour';
CREATE OR REPLACE VIEW read.aggregate_hour AS
    SELECT datastream_id, bucket, flag, n, numbers, sum, sum_squares, min, max, first_time, first_number, last_time, last_number,
           sin_sum, cos_sum, ruleset_low, ruleset_high FROM aggregate WHERE span = 'hour';
CREATE OR REPLACE VIEW read.aggregate_day AS
    SELECT datastream_id, bucket, flag, n, numbers, sum, sum_squares, min, max, first_time, first_number, last_time, last_number,
           sin_sum, cos_sum, ruleset_low, ruleset_high FROM aggregate WHERE span = 'day';
CREATE VIEW read.aggregate_month AS
SELECT a.datastream_id, date_trunc('month', a.bucket, t.timezone) AS bucket, a.flag, sum(a.n)::integer AS n, sum(a.numbers)::integer AS numbers,
       sum(a.sum) AS sum, sum(a.sum_squares) AS sum_squares, min(a.min) AS min, max(a.max) AS max,
       min(a.first_time) AS first_time, (array_agg(a.first_number ORDER BY a.first_time))[1] AS first_number,
       max(a.last_time) AS last_time, (array_agg(a.last_number ORDER BY a.last_time DESC))[1] AS last_number,
       sum(a.sin_sum)::bigint AS sin_sum, sum(a.cos_sum)::bigint AS cos_sum, min(a.ruleset_low) AS ruleset_low, max(a.ruleset_high) AS ruleset_high
  FROM aggregate a JOIN datastream d ON d.id = a.datastream_id JOIN thing t ON t.id = d.thing_id
 WHERE a.span = 'day'
 GROUP BY a.datastream_id, date_trunc('month', a.bucket, t.timezone), a.flag;

-- A local day has 92, 96 or 100 quarters of an hour.
CREATE FUNCTION read.bucket_end(span aggregate_span, bucket timestamptz, timezone text) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE span WHEN 'quarter_hour' THEN bucket + interval '15 minutes'
                 WHEN 'hour' THEN bucket + interval '1 hour'
                 WHEN 'day' THEN (date_trunc('day', bucket AT TIME ZONE timezone) + interval '1 day') AT TIME ZONE timezone
                 ELSE (date_trunc('month', bucket AT TIME ZONE timezone) + interval '1 month') AT TIME ZONE timezone END;
-- How many readings were due in a bucket: from the first reading on, until one interval ago, as for the boards (0040). NULL without an interval.
CREATE FUNCTION read.expected(
    span aggregate_span, bucket timestamptz, timezone text, first_time timestamptz, interval_s double precision, now timestamptz
) RETURNS double precision LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN interval_s > 0
            THEN greatest(0, extract(epoch FROM least(now - make_interval(secs => interval_s), read.bucket_end(span, bucket, timezone))
                                                - greatest(first_time, bucket)) / interval_s) END;
GRANT SELECT ON ALL TABLES IN SCHEMA read TO grenzregion_reader;
