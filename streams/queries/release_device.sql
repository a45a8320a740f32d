-- A device leaves quarantine and begins with no refused messages; the workers hear of it as of a change to the registry.
WITH released AS (
    UPDATE device_state SET quarantined = false, refused_run = 0, since = NULL
     WHERE tenant = %(tenant)s AND device = %(device)s AND quarantined RETURNING tenant, device
), told AS (
    SELECT pg_notify('registry', '') FROM released
)
INSERT INTO intervention (who, what, tenant, device, detail)
SELECT %(who)s, 'release', tenant, device, '{}' FROM released WHERE EXISTS (SELECT FROM told)
