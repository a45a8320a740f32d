-- News not yet published; other publishers pass by what this one holds.
SELECT id, payload FROM stored_outbox ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED
