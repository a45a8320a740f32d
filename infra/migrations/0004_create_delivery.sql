-- What makes delivery exact: the offset ledger, identities seen, letters refused, news not yet published.
CREATE TABLE ledger (
    incarnation text   NOT NULL,      -- Kafka's topic id: a log that was lost and made anew is another one
    topic       text   NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint NOT NULL,
    epoch       bigint NOT NULL,      -- of the claim; an older owner is fenced
    owner       text   NOT NULL,
    PRIMARY KEY (incarnation, topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE receipt (
    tenant text   NOT NULL,
    device text   NOT NULL,
    epoch  bigint NOT NULL,
    first  bigint NOT NULL,           -- lowest seq that the gateway still holds
    runs   int8multirange NOT NULL,   -- seqs stored or refused
    PRIMARY KEY (tenant, device, epoch)
) WITH (fillfactor = 50);

CREATE TABLE dead_letter (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received  timestamptz NOT NULL,
    topic     text   NOT NULL,
    payload   bytea  NOT NULL,        -- the whole original bytes
    tenant    text,
    device    text,
    epoch     bigint,
    seq       bigint,
    reason    text   NOT NULL,        -- of the message, or of its first refused reading
    detail    text   NOT NULL,
    refused   jsonb,                  -- [[index, reason, detail], …]; NULL: the whole message
    readings  integer NOT NULL        -- how many were refused; a message that could not be decoded counts as one
);
-- A repeated message is one letter.
CREATE UNIQUE INDEX dead_letter_identity ON dead_letter (tenant, device, epoch, seq) WHERE seq IS NOT NULL;
CREATE INDEX dead_letter_received ON dead_letter (received);

CREATE TABLE stored_outbox (          -- what readings.stored has not carried yet (decisions.md 17)
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payload bytea NOT NULL
);

CREATE TABLE device_state (           -- quarantine and the last verdicts on a device's messages (decisions.md 5)
    tenant       text NOT NULL,
    device       text NOT NULL,
    refused_run  integer NOT NULL DEFAULT 0,
    quarantined  boolean NOT NULL DEFAULT false,
    PRIMARY KEY (tenant, device)
);

CREATE TABLE revision (               -- a published value that changed (architecture.md, worker 5)
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL,
    cause           text        NOT NULL,
    datastream_id   bigint      NOT NULL,
    phenomenon_time timestamptz NOT NULL,
    discriminator   bigint      NOT NULL,
    observation_id  bigint      NOT NULL,
    old             jsonb       NOT NULL,
    new             jsonb       NOT NULL
);
CREATE INDEX revision_key ON revision (datastream_id, phenomenon_time);
