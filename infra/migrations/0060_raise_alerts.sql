-- Alerts: events that rules (streams/alerts/rules) find in the readings, what happened to each, and what still has to be told of it.
-- A row of `alert` follows from the stored readings and the rules alone: when they change, it is re-evaluated.
CREATE TABLE alert (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule            text        NOT NULL,
    rule_version    integer     NOT NULL,
    datastream      bigint      NOT NULL REFERENCES datastream ON DELETE CASCADE,
    begins          timestamptz NOT NULL,   -- event time
    ends            timestamptz,            -- NULL: it lasts
    state           text        NOT NULL CHECK (state IN ('raised', 'cleared', 'withdrawn')),
    level           smallint    NOT NULL,   -- now, or the last before it cleared; from 1
    highest         smallint    NOT NULL,
    value           double precision,       -- the utmost, in the Datastream's unit
    value_at        timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    note            text,
    changed_at      timestamptz NOT NULL DEFAULT now(),
    number          integer     NOT NULL DEFAULT 0,   -- of its newest transition
    CHECK ((state = 'raised') = (ends IS NULL) OR state = 'withdrawn'),
    -- Never two for one event. Checked at the end, since several may move at once; what was withdrawn may lie anywhere.
    CONSTRAINT alert_once EXCLUDE USING btree (rule WITH =, datastream WITH =, begins WITH =) WHERE (state <> 'withdrawn') DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX alert_datastream ON alert (datastream, rule, begins);
CREATE INDEX alert_open ON alert (begins) WHERE state = 'raised';
CREATE INDEX alert_begins ON alert (begins, id);

CREATE TABLE alert_transition (        -- append only
    alert      bigint      NOT NULL REFERENCES alert ON DELETE CASCADE,
    number     integer     NOT NULL,   -- from 1
    kind       text        NOT NULL CHECK (kind IN ('raised', 'level', 'acknowledged', 'cleared', 'reopened', 'withdrawn', 'moved')),
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    event_time timestamptz NOT NULL,
    level      smallint    NOT NULL,
    value      double precision,
    cause      text        NOT NULL CHECK (cause IN ('reading', 'revision', 'clock', 'person', 'rule')),
    state      text        NOT NULL,   -- of the alert after it, so that a message that is sent again is the same
    begins     timestamptz NOT NULL,
    ends       timestamptz,
    PRIMARY KEY (alert, number)
);

CREATE TABLE alert_outbox (            -- one row for each transition and sink; deleted when the sink has confirmed it
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert       bigint      NOT NULL,
    number      integer     NOT NULL,
    sink        text        NOT NULL,  -- 'mqtt', 'kafka', 'webhook:NAME', 'mail:NAME'
    attempts    integer     NOT NULL DEFAULT 0,
    next_at     timestamptz NOT NULL DEFAULT now(),
    last_error  text,
    given_up_at timestamptz,
    FOREIGN KEY (alert, number) REFERENCES alert_transition ON DELETE CASCADE
);
CREATE INDEX alert_outbox_sink ON alert_outbox (sink, id);
CREATE INDEX alert_outbox_alert ON alert_outbox (alert, number);

-- `public`: of the Thing; whoever may not see hidden Things must not see their alerts. A MultiDatastream has no unit and no property.
CREATE VIEW read.alert AS
SELECT a.id, a.rule, a.rule_version, a.datastream AS datastream_id, a.begins, a.ends, a.state, a.level, a.highest, a.value, a.value_at,
       a.acknowledged_at, a.acknowledged_by, a.note, a.changed_at, a.number,
       d.name AS datastream, coalesce(d.properties -> 'names', p.properties -> 'names') AS names,
       d.unit_of_measurement ->> 'symbol' AS unit, d.unit_of_measurement ->> 'definition' AS ucum,
       coalesce(p.properties ->> 'key', p.name) AS property, p.name AS property_name, p.properties -> 'names' AS property_names,
       t.id AS thing_id, t.name AS thing, t.properties -> 'names' AS thing_names, t.tenant, t.device, t.timezone, t.public
  FROM alert a
  JOIN datastream d ON d.id = a.datastream
  JOIN thing t ON t.id = d.thing_id
  LEFT JOIN observed_property p ON p.id = d.observed_property_id;
CREATE VIEW read.alert_transition AS SELECT * FROM alert_transition;
CREATE VIEW read.alert_outbox AS SELECT * FROM alert_outbox;
GRANT SELECT ON read.alert, read.alert_transition, read.alert_outbox TO grenzregion_reader;
