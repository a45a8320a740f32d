-- schema: numbers count a device's messages for ever; its seq in the present epoch is number - base.
CREATE TABLE IF NOT EXISTS device (
    id        INTEGER PRIMARY KEY,
    tenant    TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    epoch     INTEGER NOT NULL,
    base      INTEGER NOT NULL,
    next      INTEGER NOT NULL,
    UNIQUE (tenant, name)
);
CREATE TABLE IF NOT EXISTS message (
    device  INTEGER NOT NULL REFERENCES device,
    number  INTEGER NOT NULL,
    format  TEXT    NOT NULL,
    at      REAL    NOT NULL,
    payload BLOB    NOT NULL,
    PRIMARY KEY (device, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS identity (client_id TEXT NOT NULL);
-- devices: all, with the lowest number still held (its next where none is)
SELECT d.id, d.tenant, d.name, d.epoch, d.base, d.next, coalesce((SELECT min(number) FROM message WHERE device = d.id), d.next)
  FROM device d ORDER BY d.id
-- held: what the outbox holds, counted once at its opening
SELECT count(*), coalesce(sum(length(payload)), 0) FROM message
-- oldest: the oldest message's time
SELECT min(at) FROM (SELECT (SELECT at FROM message WHERE device = d.id ORDER BY number LIMIT 1) AS at FROM device d)
-- client_id
SELECT client_id FROM identity
-- set_client_id
INSERT INTO identity (client_id) VALUES (?)
-- add_device
INSERT INTO device (tenant, name, epoch, base, next) VALUES (?, ?, ?, 0, 0) RETURNING id
-- put
INSERT INTO message (device, number, format, at, payload) VALUES (?, ?, ?, ?, ?)
-- set_next
UPDATE device SET next = ? WHERE id = ?
-- renumber: the messages held begin a new epoch with seq 0
UPDATE device SET epoch = ?, base = ? WHERE id = ?
-- read: messages of a device from a number on
SELECT number, format, payload FROM message WHERE device = ? AND number >= ? ORDER BY number LIMIT ?
-- size: what a receipt takes away
SELECT count(*), coalesce(sum(length(payload)), 0) FROM message WHERE device = ? AND number <= ?
-- delete
DELETE FROM message WHERE device = ? AND number <= ?
