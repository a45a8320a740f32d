-- Whether subscribers are told of everything that they may subscribe to (18-088, 14.2): the service root says so.
ALTER TABLE notifier ADD COLUMN tells boolean NOT NULL DEFAULT false;   -- the broker tells who subscribes to what
CREATE VIEW read.notifier AS SELECT until > now() AS is_there, tells FROM notifier;
GRANT SELECT ON read.notifier TO grenzregion_reader;
