-- An Observation at its new Datastream or time, under its old id.
INSERT INTO observation (id, datastream_id, phenomenon_time, phenomenon_end, discriminator, received, result_time, valid_start, valid_end,
                         number, result, flag, tests, ruleset, feature_id, lon, lat, height, parameters, quality, epoch, seq, item, manual)
VALUES (%(id)s, %(datastream_id)s, %(phenomenon_time)s, %(phenomenon_end)s, %(discriminator)s, %(received)s, %(result_time)s, %(valid_start)s,
        %(valid_end)s, %(number)s, %(result)s::json, %(flag)s, %(tests)s, %(ruleset)s, %(feature_id)s, %(lon)s, %(lat)s, %(height)s,
        %(parameters)s::jsonb, %(quality)s::jsonb, %(epoch)s, %(seq)s, %(item)s, %(manual)s)
