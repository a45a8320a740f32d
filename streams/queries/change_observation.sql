-- New values of an Observation that keeps its Datastream and its time.
UPDATE observation
   SET phenomenon_end = %(phenomenon_end)s, result_time = %(result_time)s, valid_start = %(valid_start)s, valid_end = %(valid_end)s,
       number = %(number)s, result = %(result)s::json, flag = %(flag)s, tests = %(tests)s, ruleset = %(ruleset)s, feature_id = %(feature_id)s,
       parameters = %(parameters)s::jsonb, quality = %(quality)s::jsonb, manual = %(manual)s
 WHERE datastream_id = %(datastream_id)s AND phenomenon_time = %(phenomenon_time)s AND discriminator = %(discriminator)s
