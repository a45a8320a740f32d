-- Each station with what is missing of it and how much of it is good, the least complete first.
SELECT station, theme, municipality, sum(n)::bigint AS readings,
       sum(least(n, due)) FILTER (WHERE due > 0) / nullif(sum(due) FILTER (WHERE due > 0), 0) AS completeness,
       (sum(good) / nullif(sum(n), 0))::double precision AS good,
       sum(suspect)::bigint AS suspect, sum(failed)::bigint AS failed, sum(unknown)::bigint AS unknown, sum(missing)::bigint AS missing
  FROM (SELECT d.thing_id, d.station, d.theme, d.municipality, coalesce(sum(a.n), 0) AS n, sum(a.n) FILTER (WHERE a.flag = 1) AS good,
               coalesce(sum(a.n) FILTER (WHERE a.flag = 3), 0) AS suspect, coalesce(sum(a.n) FILTER (WHERE a.flag = 4), 0) AS failed,
               coalesce(sum(a.n) FILTER (WHERE a.flag = 2), 0) AS unknown, coalesce(sum(a.n) FILTER (WHERE a.flag = 9), 0) AS missing,
               read.board_due(read.board_span($__unixEpochTo() - $__unixEpochFrom()), d.timezone, d.first_time, d.interval_s,
                              $__timeFrom()::timestamptz, $__timeTo()::timestamptz) AS due
          FROM read.board_datastream d
          LEFT JOIN read.board_aggregate a ON a.datastream_id = d.datastream_id
               AND a.span = read.board_span($__unixEpochTo() - $__unixEpochFrom()) AND $__timeFilter(a.bucket)
         WHERE read.board_chosen(d.theme, ARRAY[${theme}]::text[]) AND read.board_chosen(d.municipality, ARRAY[${municipality}]::text[]) AND d.area = '${area}'
         GROUP BY d.datastream_id, d.thing_id, d.station, d.theme, d.municipality, d.timezone, d.first_time, d.interval_s) s
 GROUP BY thing_id, station, theme, municipality
 ORDER BY completeness NULLS FIRST, good NULLS FIRST, station, thing_id
