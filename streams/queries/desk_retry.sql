-- Set due again what was given up, as if it were new.
UPDATE alert_outbox SET given_up_at = NULL, attempts = 0, next_at = now()
 WHERE given_up_at IS NOT NULL
   AND (%(alerts)s::bigint[] IS NULL OR alert = ANY (%(alerts)s)) AND (%(sink)s::text IS NULL OR sink = %(sink)s)
