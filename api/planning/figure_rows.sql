-- Readings of one Datastream from the bucket's start until its end, that instant included; and before them the last one, and the last
-- one whose flag counts, at most a month back.
(SELECT phenomenon_time, number, result::text, flag, tests, ruleset, id FROM read.observation
  WHERE datastream_id = %(datastream)s AND phenomenon_time < %(start)s AND phenomenon_time >= %(start)s::timestamptz - interval '31 days'
  ORDER BY phenomenon_time DESC LIMIT 1)
UNION
(SELECT phenomenon_time, number, result::text, flag, tests, ruleset, id FROM read.observation
  WHERE datastream_id = %(datastream)s AND phenomenon_time < %(start)s AND phenomenon_time >= %(start)s::timestamptz - interval '31 days'
    AND flag = ANY (%(flags)s)
  ORDER BY phenomenon_time DESC LIMIT 1)
UNION ALL
(SELECT phenomenon_time, number, result::text, flag, tests, ruleset, id FROM read.observation
  WHERE datastream_id = %(datastream)s AND phenomenon_time >= %(start)s AND phenomenon_time <= %(end)s
  LIMIT %(most)s)
 ORDER BY phenomenon_time, id
