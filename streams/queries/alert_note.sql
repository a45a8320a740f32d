-- Transitions of alerts.
INSERT INTO alert_transition (alert, number, kind, event_time, level, value, cause, state, begins, ends)
SELECT u.* FROM unnest(%(alerts)s::bigint[], %(numbers)s::int[], %(kinds)s::text[], %(event_times)s::timestamptz[], %(levels)s::smallint[],
                     %(values)s::float8[], %(causes)s::text[], %(states)s::text[], %(begins)s::timestamptz[], %(ends)s::timestamptz[]) AS u
