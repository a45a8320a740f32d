    ON CONFLICT (datastream_id, span, bucket, flag) DO UPDATE SET
        n = a.n + EXCLUDED.n, numbers = a.numbers + EXCLUDED.numbers,
        sum = a.sum + EXCLUDED.sum, sum_squares = a.sum_squares + EXCLUDED.sum_squares,
        min = least(a.min, EXCLUDED.min), max = greatest(a.max, EXCLUDED.max),
        first_time = least(a.first_time, EXCLUDED.first_time),
        first_number = CASE WHEN EXCLUDED.first_time < a.first_time THEN EXCLUDED.first_number
                            WHEN EXCLUDED.first_time = a.first_time THEN least(EXCLUDED.first_number, a.first_number) ELSE a.first_number END,
        last_time = greatest(a.last_time, EXCLUDED.last_time),
        last_number = CASE WHEN EXCLUDED.last_time > a.last_time THEN EXCLUDED.last_number
                           WHEN EXCLUDED.last_time < a.last_time THEN a.last_number
                           WHEN EXCLUDED.last_number > a.last_number OR EXCLUDED.last_number IS NULL THEN EXCLUDED.last_number
                           ELSE a.last_number END,
        sin_sum = coalesce(a.sin_sum + EXCLUDED.sin_sum, a.sin_sum, EXCLUDED.sin_sum),
        cos_sum = coalesce(a.cos_sum + EXCLUDED.cos_sum, a.cos_sum, EXCLUDED.cos_sum),
        ruleset_low = least(a.ruleset_low, EXCLUDED.ruleset_low), ruleset_high = greatest(a.ruleset_high, EXCLUDED.ruleset_high)
