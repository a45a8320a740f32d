-- How devices of public Things are, page by page in the order of their Things.
SELECT json_build_object('time', now(), 'devices', coalesce(json_agg(told ORDER BY thing_id), '[]'),
                         'next', CASE WHEN count(*) = %(most)s THEN max(thing_id) END)::text
  FROM (SELECT thing_id, json_build_object(
                   'thing', thing_id, 'tenant', tenant, 'device', device, 'name', name, 'names', coalesce(names, '{}'),
                   'last_seen', last_seen, 'silent', silent, 'clock_offset_s', clock_offset_s, 'battery', battery,
                   'quarantined', quarantined, 'quarantined_since', quarantined_since, 'refused_run', refused_run,
                   'messages', messages, 'missing', missing, 'repeats', repeats,
                   'gap_rate', CASE WHEN messages > 0 THEN round(missing::numeric / (messages + missing), 6) END) AS told
          FROM read.device_health
         WHERE public AND thing_id > %(after)s AND (%(thing)s::bigint IS NULL OR thing_id = %(thing)s)
           AND (%(quarantined)s::boolean IS NULL OR quarantined = %(quarantined)s)
           AND (%(silent)s::boolean IS NULL OR silent = %(silent)s)
         ORDER BY thing_id
         LIMIT %(most)s) AS page
