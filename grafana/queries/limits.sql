-- Limits as lines that end and begin with their validity (domain.md, "Limits"): a line is drawn where the range meets it.
SELECT $__time(t), l.label AS metric, l.value::double precision AS value
  FROM (VALUES :limits) AS l (label, value, valid_from, valid_to)
 CROSS JOIN LATERAL (VALUES (greatest(l.valid_from::timestamptz, $__timeFrom()::timestamptz)), (least(l.valid_to::timestamptz, $__timeTo()::timestamptz))) AS e (t)
 WHERE l.valid_from::timestamptz < $__timeTo()::timestamptz AND l.valid_to::timestamptz > $__timeFrom()::timestamptz
 ORDER BY 1, 2
