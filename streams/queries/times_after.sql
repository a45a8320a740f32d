-- The next times of a Datastream's rows in a span.
SELECT DISTINCT phenomenon_time FROM observation
 WHERE datastream_id = %(datastream)s AND phenomenon_time > %(after)s AND phenomenon_time <= %(last)s AND NOT deleted
 ORDER BY phenomenon_time LIMIT %(most)s
