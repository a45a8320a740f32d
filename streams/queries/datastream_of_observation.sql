-- Where an Observation is, before its Datastream is locked.
SELECT datastream_id FROM observation WHERE id = %(id)s AND NOT deleted
