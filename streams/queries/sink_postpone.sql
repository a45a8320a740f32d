-- Note what came of a failed attempt; nothing when another worker has taken the delivery meanwhile.
UPDATE alert_outbox
   SET last_error = %(reason)s,
       next_at = CASE WHEN %(final)s THEN next_at ELSE now() + %(pause)s END,
       given_up_at = CASE WHEN %(final)s THEN now() END
 WHERE id = %(id)s AND attempts = %(attempts)s
