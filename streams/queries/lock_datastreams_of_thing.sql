-- Nobody writes readings of this Thing while its local days are made anew.
SELECT id FROM datastream WHERE thing_id = %(thing)s ORDER BY id FOR UPDATE
