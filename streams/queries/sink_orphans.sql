-- Give up what is meant for webhooks and mails that the settings no longer name.
UPDATE alert_outbox SET given_up_at = now(), last_error = 'the settings name no such sink'
 WHERE given_up_at IS NULL AND (sink LIKE 'webhook:%%' OR sink LIKE 'mail:%%') AND sink <> ALL (%(sinks)s)
