-- One row into insert_one.sql, and back with the columns of which an Observation's text is made. $1 is its Thing.
SELECT id, id::text AS id_text, $2::bigint AS datastream_id, $3::timestamptz AS phenomenon_time, $4::timestamptz AS phenomenon_end,
       $7::timestamptz AS result_time, $8::timestamptz AS valid_start, $9::timestamptz AS valid_end, $10::double precision AS number,
       $11::json AS result, $12::smallint AS flag, $13::bigint AS tests, $14::integer AS ruleset, $15::bigint AS feature_id,
       $16::jsonb AS parameters, $17::jsonb AS quality
  FROM (SELECT pg_temp.insert_one(
                   ROW(NULL, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, NULL, NULL, NULL, $16, $17, NULL, NULL, NULL)::stage, $1
               ) AS id) AS inserted
