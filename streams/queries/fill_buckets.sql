-- Second half of a recomputation: the same buckets from the rows. Squares are products: numeric's power operator rounds.
WITH touched AS (
    SELECT u.datastream_id, u.at, t.timezone
      FROM unnest(%(datastreams)s::bigint[], %(times)s::timestamptz[]) AS u (datastream_id, at)
      JOIN datastream d ON d.id = u.datastream_id JOIN thing t ON t.id = d.thing_id
),
buckets AS (
    SELECT datastream_id, 'quarter_hour'::aggregate_span AS span, date_bin('15 min', at, '2000-01-01Z') AS bucket,
           date_bin('15 min', at, '2000-01-01Z') + interval '15 min' AS until FROM touched
    UNION
    SELECT datastream_id, 'hour', date_trunc('hour', at, 'UTC'), date_trunc('hour', at, 'UTC') + interval '1 hour' FROM touched
    UNION
    SELECT datastream_id, 'day', date_trunc('day', at, timezone),
           (date_trunc('day', at AT TIME ZONE timezone) + interval '1 day') AT TIME ZONE timezone FROM touched
)
INSERT INTO aggregate (datastream_id, span, bucket, flag, n, numbers, sum, sum_squares, min, max, first_time, first_number, last_time, last_number)
SELECT b.datastream_id, b.span, b.bucket, o.flag, count(*), count(o.number), coalesce(sum(o.number::text::numeric), 0),
       coalesce(sum(o.number::text::numeric * o.number::text::numeric), 0), min(o.number), max(o.number),
       min(o.phenomenon_time), (array_agg(o.number ORDER BY o.phenomenon_time, o.discriminator))[1],
       max(o.phenomenon_time), (array_agg(o.number ORDER BY o.phenomenon_time DESC, o.discriminator DESC))[1]
  FROM buckets b JOIN observation o
    ON o.datastream_id = b.datastream_id AND o.phenomenon_time >= b.bucket AND o.phenomenon_time < b.until AND NOT o.deleted
 GROUP BY b.datastream_id, b.span, b.bucket, o.flag
 ORDER BY b.datastream_id, b.span, b.bucket, o.flag
