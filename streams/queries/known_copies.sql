-- Places (from 0) of readings that came again: a row stands at their time that ranks the same and is no younger, so that nothing follows
-- from them (decisions.md 13). Rows that were deleted or put right by hand are left to overrule.sql. Times in microseconds.
SELECT c.place - 1
  FROM unnest(%(datastreams)s::bigint[], %(times)s::bigint[], %(received)s::bigint[], %(numbers)s::float8[],
              %(epochs)s::bigint[], %(seqs)s::bigint[], %(items)s::int[]) WITH ORDINALITY
    AS c (datastream_id, time, received, number, epoch, seq, item, place)
  JOIN observation o
    ON o.datastream_id = c.datastream_id AND o.phenomenon_time = 'epoch'::timestamptz + c.time * interval '1 us' AND o.discriminator = 0
   AND o.phenomenon_time BETWEEN %(first)s AND %(last)s
 WHERE (o.number, o.epoch, o.seq, o.item) = (c.number, c.epoch, c.seq, c.item) AND o.result IS NULL
   AND o.received <= 'epoch'::timestamptz + c.received * interval '1 us' AND NOT o.deleted AND NOT o.manual
