    ON CONFLICT (datastream_id) DO UPDATE SET
        n = s.n + EXCLUDED.n, first_time = least(s.first_time, EXCLUDED.first_time), end_time = greatest(s.end_time, EXCLUDED.end_time),
        result_first = least(s.result_first, EXCLUDED.result_first), result_last = greatest(s.result_last, EXCLUDED.result_last),
        (last_time, latest_id, latest_discriminator, latest_number, latest_result, latest_flag, latest_end, latest_result_time,
         latest_valid_start, latest_valid_end, latest_tests, latest_ruleset, latest_feature_id, latest_parameters, latest_quality) = (
            SELECT CASE WHEN newer THEN EXCLUDED.last_time ELSE s.last_time END,
                   CASE WHEN newer THEN EXCLUDED.latest_id ELSE s.latest_id END,
                   CASE WHEN newer THEN EXCLUDED.latest_discriminator ELSE s.latest_discriminator END,
                   CASE WHEN newer THEN EXCLUDED.latest_number ELSE s.latest_number END,
                   CASE WHEN newer THEN EXCLUDED.latest_result ELSE s.latest_result END,
                   CASE WHEN newer THEN EXCLUDED.latest_flag ELSE s.latest_flag END,
                   CASE WHEN newer THEN EXCLUDED.latest_end ELSE s.latest_end END,
                   CASE WHEN newer THEN EXCLUDED.latest_result_time ELSE s.latest_result_time END,
                   CASE WHEN newer THEN EXCLUDED.latest_valid_start ELSE s.latest_valid_start END,
                   CASE WHEN newer THEN EXCLUDED.latest_valid_end ELSE s.latest_valid_end END,
                   CASE WHEN newer THEN EXCLUDED.latest_tests ELSE s.latest_tests END,
                   CASE WHEN newer THEN EXCLUDED.latest_ruleset ELSE s.latest_ruleset END,
                   CASE WHEN newer THEN EXCLUDED.latest_feature_id ELSE s.latest_feature_id END,
                   CASE WHEN newer THEN EXCLUDED.latest_parameters ELSE s.latest_parameters END,
                   CASE WHEN newer THEN EXCLUDED.latest_quality ELSE s.latest_quality END
              FROM (SELECT (EXCLUDED.last_time, EXCLUDED.latest_discriminator) > (s.last_time, s.latest_discriminator) AS newer) AS q),
        changed = EXCLUDED.changed, written = EXCLUDED.written
