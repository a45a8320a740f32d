-- One row per theme: who reports, how much came of what was due, how much of it is good.
SELECT theme, count(DISTINCT thing_id) AS stations, count(DISTINCT thing_id) FILTER (WHERE reporting) AS reporting, sum(n)::bigint AS readings,
       sum(least(n, due)) FILTER (WHERE due > 0) / nullif(sum(due) FILTER (WHERE due > 0), 0) AS completeness,
       (sum(good) / nullif(sum(n), 0))::double precision AS good
  FROM (SELECT d.theme, d.thing_id, d.reporting, coalesce(sum(a.n), 0) AS n, sum(a.n) FILTER (WHERE a.flag = 1) AS good,
               read.board_due(read.board_span($__unixEpochTo() - $__unixEpochFrom()), d.timezone, d.first_time, d.interval_s,
                              $__timeFrom()::timestamptz, $__timeTo()::timestamptz) AS due
          FROM read.board_datastream d
          LEFT JOIN read.board_aggregate a ON a.datastream_id = d.datastream_id
               AND a.span = read.board_span($__unixEpochTo() - $__unixEpochFrom()) AND $__timeFilter(a.bucket)
         WHERE read.board_chosen(d.theme, ARRAY[${theme}]::text[]) AND read.board_chosen(d.municipality, ARRAY[${municipality}]::text[]) AND d.area = '${area}'
         GROUP BY d.datastream_id, d.theme, d.thing_id, d.reporting, d.timezone, d.first_time, d.interval_s) s
 GROUP BY theme
 ORDER BY theme
