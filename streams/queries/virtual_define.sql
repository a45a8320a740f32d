-- New or changed formulas with their inputs, and everything of theirs to be computed. The caller has locked virtual_input: whoever wrote
-- readings without seeing these inputs has committed, and who comes after sees them.
WITH given AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(definitions)s::jsonb[], %(problems)s::text[]) AS g (datastream_id, definition, problem)
),
defined AS (
    INSERT INTO virtual_datastream SELECT datastream_id, definition, problem FROM given
    ON CONFLICT (datastream_id) DO UPDATE SET definition = EXCLUDED.definition, problem = EXCLUDED.problem
),
needless AS (
    DELETE FROM virtual_input v USING given g
     WHERE v.datastream_id = g.datastream_id
       AND (g.problem IS NOT NULL OR v.input_id NOT IN (SELECT (i.value ->> 0)::bigint FROM jsonb_each(g.definition -> 'inputs') AS i))
),
needed AS (
    INSERT INTO virtual_input
    SELECT DISTINCT (i.value ->> 0)::bigint, g.datastream_id
      FROM given g CROSS JOIN LATERAL jsonb_each(g.definition -> 'inputs') AS i WHERE g.problem IS NULL
    ON CONFLICT DO NOTHING
)
INSERT INTO virtual_queue (datastream_id, quarter) SELECT datastream_id, NULL FROM given WHERE problem IS NULL
