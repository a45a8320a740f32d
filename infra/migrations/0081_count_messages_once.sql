-- The newest identity that was counted for or against a device: a message that comes again does not count again.
ALTER TABLE device_state ADD COLUMN epoch bigint, ADD COLUMN seq bigint;
CREATE OR REPLACE VIEW read.device_state AS SELECT * FROM device_state;
