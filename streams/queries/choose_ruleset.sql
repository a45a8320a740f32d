-- A span of a Datastream's time goes to a version of the rulesets.
INSERT INTO ruleset_span (datastream_id, first_time, last_time, version)
VALUES (%(datastream)s, %(first)s, %(last)s, %(version)s)
