-- How devices are: when they were heard of last, how their clocks go, what came twice, what never came.
CREATE TABLE device_health (           -- written at most every 10 s and device
    tenant         text NOT NULL,
    device         text NOT NULL,
    last_seen      timestamptz NOT NULL,  -- the bridge's newest stamp
    clock_offset_s double precision,      -- received - time, the smallest of the readings' newest times in the batch last noted
    PRIMARY KEY (tenant, device)
) WITH (fillfactor = 50);

-- Messages that came again: copies of an identity beyond the first.
ALTER TABLE receipt ADD COLUMN repeats bigint NOT NULL DEFAULT 0;

-- `missing`: identities between the lowest and the highest that came, which did not. A gateway with an outbox sends them again; of a
-- device without one they are lost.
CREATE VIEW read.device_health AS
SELECT t.id AS thing_id, t.tenant, t.device, t.name, t.properties -> 'names' AS names, t.public,
       h.last_seen, h.clock_offset_s,
       coalesce(h.last_seen < now() - greatest(interval '15 minutes', 3 * i.shortest), true) AS silent,
       coalesce(s.quarantined, false) AS quarantined, s.since AS quarantined_since, coalesce(s.refused_run, 0) AS refused_run,
       r.messages, r.missing, r.repeats, b.battery
  FROM thing t
  LEFT JOIN device_health h ON (h.tenant, h.device) = (t.tenant, t.device)
  LEFT JOIN device_state s ON (s.tenant, s.device) = (t.tenant, t.device)
 CROSS JOIN LATERAL (
       SELECT make_interval(secs => min((d.properties ->> 'interval_s')::numeric::double precision)) AS shortest
         FROM datastream d
        WHERE d.thing_id = t.id AND jsonb_typeof(d.properties -> 'interval_s') = 'number'
          AND (d.properties ->> 'interval_s')::numeric BETWEEN 0.001 AND 31622400) AS i
 CROSS JOIN LATERAL (
       SELECT sum(c.messages)::bigint AS messages, sum(c.span - c.messages)::bigint AS missing, sum(e.repeats)::bigint AS repeats
         FROM receipt e
        CROSS JOIN LATERAL (SELECT sum(upper(run) - lower(run)) AS messages, max(upper(run)) - min(lower(run)) AS span FROM unnest(e.runs) AS run) AS c
        WHERE (e.tenant, e.device) = (t.tenant, t.device)) AS r
  LEFT JOIN LATERAL (
       SELECT json_build_object('value', coalesce(to_json(y.latest_number), y.latest_result), 'unit', d.unit_of_measurement -> 'symbol',
                                'time', y.last_time, 'flag', y.latest_flag) AS battery
         FROM datastream d
         JOIN datastream_summary y ON y.datastream_id = d.id
        WHERE d.thing_id = t.id AND d.channel LIKE 'battery%'
        ORDER BY d.id
        LIMIT 1) AS b ON true
 WHERE t.device IS NOT NULL;
GRANT SELECT ON read.device_health TO grenzregion_reader;
