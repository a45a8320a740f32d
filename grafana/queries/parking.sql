-- occupied / (occupied + free); where one of the two is not counted, the capacity stands in. Without any of it, no line.
SELECT $__time(bucket), station AS metric,
       CASE WHEN occupied + free > 0 THEN occupied / (occupied + free)
            WHEN free IS NULL THEN occupied / nullif(capacity, 0)
            WHEN occupied IS NULL THEN 1 - free / nullif(capacity, 0) END AS value
  FROM (SELECT a.bucket, d.thing_id, d.station,
               (sum(a.sum) FILTER (WHERE d.property = 'occupied_spaces') / nullif(sum(a.numbers) FILTER (WHERE d.property = 'occupied_spaces'), 0))::double precision AS occupied,
               (sum(a.sum) FILTER (WHERE d.property = 'free_spaces') / nullif(sum(a.numbers) FILTER (WHERE d.property = 'free_spaces'), 0))::double precision AS free,
               (SELECT max(c.latest_number) FROM read.board_datastream c WHERE c.thing_id = d.thing_id AND c.property = 'capacity') AS capacity
          FROM read.board_aggregate a
          JOIN read.board_datastream d USING (datastream_id)
         WHERE a.span = read.board_span($__unixEpochTo() - $__unixEpochFrom())
           AND $__timeFilter(a.bucket)
           AND d.property IN (:properties)
           AND read.board_chosen(d.municipality, ARRAY[${municipality}]::text[]) AND d.area = '${area}'
           AND ('${only_good}' = '0' OR a.flag = 1)
         GROUP BY a.bucket, d.thing_id, d.station) s
 WHERE occupied + free > 0 OR (capacity > 0 AND (occupied IS NULL) <> (free IS NULL))
 ORDER BY 1, 2
