-- How many public Datastreams each rule watches: those of its properties that say of themselves, or whose Thing says, what it asks for.
SELECT r.name, count(d.id)::int AS n
  FROM json_to_recordset(%(rules)s::json) AS r(name text, properties json, conditions json, needs json)
  LEFT JOIN (read.datastream d
             JOIN read.thing t ON t.id = d.thing_id AND t.public
             JOIN read.observed_property p ON p.id = d.observed_property_id)
    ON (SELECT bool_or(k IN ('*', coalesce(p.properties ->> 'key', p.name))) FROM json_array_elements_text(r.properties) AS k)
   AND NOT EXISTS (SELECT FROM json_each_text(r.conditions) AS c
                    WHERE coalesce(d.properties ->> c.key, t.properties ->> c.key) IS DISTINCT FROM c.value)
   AND NOT EXISTS (SELECT FROM json_array_elements_text(r.needs) AS n
                    WHERE coalesce(d.properties ->> n, t.properties ->> n) IS NULL)
 GROUP BY r.name
