-- Groups of stations that have waited for their neighbours' readings for a while.
SELECT DISTINCT property_id FROM neighbour_queue WHERE queued < clock_timestamp() - %(settle)s::interval
