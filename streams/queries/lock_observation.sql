-- An Observation that is about to change.
SELECT * FROM observation WHERE id = %(id)s AND NOT deleted FOR UPDATE
