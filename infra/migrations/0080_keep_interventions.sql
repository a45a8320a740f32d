-- What people do about refused messages, and what they have to know for it.

-- What the bridge refused stays refused when it is replayed: what it judged by (user properties, the whole payload) is not kept.
ALTER TABLE dead_letter ADD COLUMN marked text;
-- A letter without identity is known again by topic, payload and the bridge's stamp: a record that the log has twice is one letter.
ALTER TABLE dead_letter ADD COLUMN digest bytea;
CREATE UNIQUE INDEX dead_letter_copy ON dead_letter (received, digest) WHERE seq IS NULL AND digest IS NOT NULL;
CREATE INDEX dead_letter_device ON dead_letter (tenant, device, id);

ALTER TABLE device_state ADD COLUMN since timestamptz;   -- when it was quarantined
CREATE OR REPLACE VIEW read.device_state AS SELECT * FROM device_state;

CREATE TABLE worker_pause (            -- workers that wait for somebody to look (decisions.md 5); the row survives their restarts
    worker   text PRIMARY KEY,
    since    timestamptz NOT NULL DEFAULT now(),
    failures integer NOT NULL,         -- of the last messages, by so many devices
    messages integer NOT NULL,
    devices  integer NOT NULL,
    example  text NOT NULL
);
CREATE VIEW read.worker_pause AS SELECT * FROM worker_pause;

CREATE TABLE intervention (            -- who did what, for good
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT now(),
    who      text NOT NULL,
    what     text NOT NULL CHECK (what IN ('drop', 'release', 'resume')),
    tenant   text,
    device   text,
    readings integer,                  -- of a dropped letter: sent = stored + refused + dropped
    detail   jsonb NOT NULL
);
CREATE INDEX intervention_device ON intervention (tenant, device);
