-- The oldest entries of the queue.
SELECT id, datastream_id, quarter FROM virtual_queue ORDER BY id LIMIT %(most)s
