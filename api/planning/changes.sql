-- Latest values that changed since an instant, for live pages: one cheap look at the summaries, none at the readings. There is no
-- index on `changed` on purpose: it would cost every write its in-place update, and the summary has one row per Datastream.
SELECT extract(epoch FROM s.changed)::float8 AS changed, d.id,
       json_build_object('id', d.id, 'thing', t.id, 'time', s.last_time,
                         'value', coalesce(to_json(s.latest_number), s.latest_result), 'flag', s.latest_flag)::text AS latest
FROM read.datastream_summary s
JOIN read.datastream d ON d.id = s.datastream_id
JOIN read.thing t ON t.id = d.thing_id
WHERE s.changed > to_timestamp(%(since)s) AND t.public
ORDER BY s.changed
