-- A letter that stays after it was replayed says what is refused now.
UPDATE dead_letter SET reason = %(reason)s, detail = %(detail)s, refused = %(refused)s, readings = %(readings)s WHERE id = %(id)s
