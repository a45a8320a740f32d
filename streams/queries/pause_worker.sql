-- The worker's pause, kept until `resume` deletes it.
INSERT INTO worker_pause (worker, failures, messages, devices, example)
VALUES (%(worker)s, %(failures)s, %(messages)s, %(devices)s, %(example)s)
ON CONFLICT (worker) DO UPDATE SET failures = EXCLUDED.failures, messages = EXCLUDED.messages, devices = EXCLUDED.devices, example = EXCLUDED.example
