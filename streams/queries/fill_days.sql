-- Second half: local days from the quarters of an hour, for every time zone's midnight is at a full quarter; months follow by themselves.
INSERT INTO aggregate (datastream_id, span, bucket, flag, n, numbers, sum, sum_squares, min, max, first_time, first_number, last_time,
                       last_number, sin_sum, cos_sum, ruleset_low, ruleset_high)
SELECT a.datastream_id, 'day', date_trunc('day', a.bucket, t.timezone), a.flag, sum(a.n), sum(a.numbers), sum(a.sum), sum(a.sum_squares),
       min(a.min), max(a.max), min(a.first_time), (array_agg(a.first_number ORDER BY a.first_time))[1],
       max(a.last_time), (array_agg(a.last_number ORDER BY a.last_time DESC))[1],
       sum(a.sin_sum)::bigint, sum(a.cos_sum)::bigint, min(a.ruleset_low), max(a.ruleset_high)
  FROM aggregate a JOIN datastream d ON d.id = a.datastream_id JOIN thing t ON t.id = d.thing_id
 WHERE d.thing_id = %(thing)s AND a.span = 'quarter_hour'
 GROUP BY a.datastream_id, date_trunc('day', a.bucket, t.timezone), a.flag
