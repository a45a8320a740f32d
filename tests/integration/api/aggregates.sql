-- The aggregates of rows that a fixture inserted by hand, as the store would have made them.
INSERT INTO aggregate (datastream_id, span, bucket, flag, n, numbers, sum, sum_squares, min, max, first_time, first_number, last_time, last_number)
SELECT o.datastream_id, span, bucket, flag, count(*), count(number), coalesce(sum(number::text::numeric), 0),
       coalesce(sum(number::text::numeric * number::text::numeric), 0), min(number), max(number), min(phenomenon_time),
       (array_agg(number ORDER BY phenomenon_time, discriminator))[1], max(phenomenon_time),
       (array_agg(number ORDER BY phenomenon_time DESC, discriminator DESC))[1]
  FROM observation o JOIN datastream d ON d.id = o.datastream_id JOIN thing t ON t.id = d.thing_id,
       LATERAL (SELECT date_bin('15 min', phenomenon_time, '2000-01-01Z') AS quarter) q,
       LATERAL (VALUES ('quarter_hour'::aggregate_span, quarter), ('hour', date_trunc('hour', quarter, 'UTC')),
                       ('day', date_trunc('day', quarter, t.timezone))) AS s (span, bucket)
 WHERE NOT deleted GROUP BY 1, 2, 3, 4;
-- So too the FeaturesOfInterest of each Datastream; observedArea is the fixture's.
ALTER TABLE datastream_feature DISABLE TRIGGER USER;
INSERT INTO datastream_feature SELECT DISTINCT datastream_id, feature_id FROM observation WHERE NOT deleted AND feature_id IS NOT NULL
    ON CONFLICT DO NOTHING;
ALTER TABLE datastream_feature ENABLE TRIGGER USER;
