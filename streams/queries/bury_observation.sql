-- A tombstone, which views hide and which keeps the key taken (decisions.md 12).
UPDATE observation SET deleted = true
 WHERE datastream_id = %(datastream_id)s AND phenomenon_time = %(phenomenon_time)s AND discriminator = %(discriminator)s
