-- A Thing whose time zone changes: writers of its readings hold a weaker lock.
SELECT id FROM thing WHERE id = %(thing)s FOR UPDATE
