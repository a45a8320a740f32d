-- Channels with all that judging needs. Ends in registered.sql or of_datastreams.sql: with both in one condition no plan could use an index.
SELECT t.tenant, t.device, d.channel, d.id, t.id, d.unit_of_measurement ->> 'definition',
       coalesce(d.properties -> 'fail_span', p.properties -> 'fail_span'),
       coalesce(d.properties -> 'suspect_span', p.properties -> 'suspect_span'),
       l.location, t.properties, l.feature_id, parts.spans,
       d.properties, p.id, p.properties ->> 'key', t.timezone, chosen.spans, d.observation_type
  FROM datastream d
  JOIN thing t ON t.id = d.thing_id
  LEFT JOIN observed_property p ON p.id = d.observed_property_id
  LEFT JOIN LATERAL (SELECT location.location, location.feature_id FROM thing_location tl JOIN location ON location.id = tl.location_id
                      WHERE tl.thing_id = t.id
                      ORDER BY (encoding_type IN ('application/geo+json', 'application/vnd.geo+json')) DESC, location.id LIMIT 1) AS l ON true
  -- Of a MultiDatastream: [fail span, suspect span] for each part of its results.
  LEFT JOIN LATERAL (SELECT jsonb_agg(jsonb_build_array(coalesce(nullif(d.properties -> 'fail_span' -> (m.rank - 1), 'null'), part.properties -> 'fail_span'),
                                                        coalesce(nullif(d.properties -> 'suspect_span' -> (m.rank - 1), 'null'), part.properties -> 'suspect_span'))
                                      ORDER BY m.rank) AS spans
                       FROM multi_datastream_observed_property m JOIN observed_property part ON part.id = m.observed_property_id
                      WHERE m.multi_datastream_id = d.id) AS parts ON d.unit_of_measurements IS NOT NULL
  -- Spans that another version of the rulesets judges: [first, last (microseconds), version].
  LEFT JOIN LATERAL (SELECT jsonb_agg(jsonb_build_array((extract(epoch FROM s.first_time) * 1000000)::bigint,
                                                        (extract(epoch FROM s.last_time) * 1000000)::bigint, s.version) ORDER BY s.id) AS spans
                       FROM ruleset_span s WHERE s.datastream_id = d.id) AS chosen ON true
