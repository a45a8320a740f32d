-- As figure_rows.sql, of what was known at an instant; what stood before the first bucket is looked for a day back.
SELECT phenomenon_time, number, result::text, flag, tests, ruleset, id
  FROM read.observation_as_of(%(datastream)s, %(start)s::timestamptz - interval '1 day', %(end)s::timestamptz + interval '1 us', %(as_of)s)
 ORDER BY phenomenon_time, id
 LIMIT %(most)s
