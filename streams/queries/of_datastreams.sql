-- Channels of Datastreams, registered or not, and of those beside them at their Things: who writes to one will write to the others.
 WHERE d.thing_id IN (SELECT thing_id FROM datastream WHERE id = ANY (%(ids)s))
