-- How much webhooks and mails have not been told, and how much never will be unless somebody asks for it.
SELECT count(*) FILTER (WHERE given_up_at IS NULL), count(given_up_at) FROM alert_outbox WHERE sink LIKE 'webhook:%' OR sink LIKE 'mail:%'
