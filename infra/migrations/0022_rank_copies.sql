-- Which of several copies of a reading holds (decisions.md 13): the greatest of having an identity, epoch, seq, index in its message,
-- and canonical value.
CREATE TYPE copy_rank AS (identified boolean, epoch bigint, seq bigint, item integer, value text);

CREATE FUNCTION rank_of_copy(epoch bigint, seq bigint, item integer, result text, number double precision) RETURNS copy_rank
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ROW(epoch IS NOT NULL, coalesce(epoch, 0), coalesce(seq, 0), coalesce(item, 0), coalesce(result, number::text, ''))::copy_rank;
