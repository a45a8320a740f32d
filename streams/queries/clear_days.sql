-- First half of making local days anew (see clear_buckets.sql).
DELETE FROM aggregate WHERE span = 'day' AND datastream_id IN (SELECT id FROM datastream WHERE thing_id = %(thing)s)
