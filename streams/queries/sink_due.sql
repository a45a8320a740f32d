-- Sinks to which something is due.
SELECT DISTINCT sink FROM alert_outbox WHERE sink = ANY (%(sinks)s) AND given_up_at IS NULL AND next_at <= now()
