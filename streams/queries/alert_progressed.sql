-- How far alerts of Datastreams are now.
INSERT INTO alert_progress AS g (datastream, watches, ended, due_at, gaps)
SELECT u.id, u.watches, 'epoch'::timestamptz + u.ended * interval '1 us', 'epoch'::timestamptz + u.due * interval '1 us', u.gaps::jsonb
  FROM unnest(%(ids)s::bigint[], %(watches)s::text[], %(ended)s::bigint[], %(due)s::bigint[], %(gaps)s::text[]) AS u (id, watches, ended, due, gaps)
ON CONFLICT (datastream) DO UPDATE SET watches = EXCLUDED.watches, ended = EXCLUDED.ended, due_at = EXCLUDED.due_at, gaps = EXCLUDED.gaps
