-- Devices that are set aside and workers that wait for somebody to look: usually none of either.
SELECT (SELECT coalesce(json_agg(json_build_object('tenant', tenant, 'device', device, 'since', since) ORDER BY since, tenant, device), '[]')
          FROM read.device_state WHERE quarantined),
       (SELECT coalesce(json_agg(json_build_object('worker', worker, 'since', since, 'failures', failures, 'messages', messages,
                                                   'devices', devices, 'example', example) ORDER BY worker), '[]')
          FROM read.worker_pause)
