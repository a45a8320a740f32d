-- How fresh the data is: the newest time of a reading, and when the store last wrote one.
SELECT max(last_time) AS newest, max(changed) AS stored FROM read.datastream_summary
