-- What subscribers over MQTT have not been told yet: stored Observations (the news that `stored_outbox` has too) and changed entities.
-- Filled only while a notifier says that it is there: without one nobody would empty it.
CREATE TABLE notifier (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    until     timestamptz NOT NULL
);
CREATE TABLE notice (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity  text,      -- its table, with `number` and `changed`; NULL: `payload` names Observations
    number  bigint,
    changed text[],    -- columns of an update; NULL: it is new
    payload bytea
);

CREATE FUNCTION notice_stored() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM notifier WHERE until > now()) THEN
        INSERT INTO notice (payload) VALUES (NEW.payload);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER notice_stored AFTER INSERT ON stored_outbox FOR EACH ROW EXECUTE FUNCTION notice_stored();

CREATE FUNCTION notice_entity() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    differing text[];
BEGIN
    IF NOT EXISTS (SELECT FROM notifier WHERE until > now()) THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        SELECT array_agg(f.name) INTO differing FROM jsonb_each(to_jsonb(NEW)) AS f (name, value) WHERE f.value IS DISTINCT FROM to_jsonb(OLD) -> f.name;
        IF differing IS NULL THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO notice (entity, number, changed) VALUES (TG_TABLE_NAME, NEW.id, differing);
    RETURN NULL;
END $$;
CREATE TRIGGER notice_entity AFTER INSERT OR UPDATE ON thing FOR EACH ROW EXECUTE FUNCTION notice_entity();
CREATE TRIGGER notice_entity AFTER INSERT OR UPDATE ON location FOR EACH ROW EXECUTE FUNCTION notice_entity();
CREATE TRIGGER notice_entity AFTER INSERT OR UPDATE ON historical_location FOR EACH ROW EXECUTE FUNCTION notice_entity();
CREATE TRIGGER notice_entity AFTER INSERT OR UPDATE ON sensor FOR EACH ROW EXECUTE FUNCTION notice_entity();
CREATE TRIGGER notice_entity AFTER INSERT OR UPDATE ON observed_property FOR EACH ROW EXECUTE FUNCTION notice_entity();
CREATE TRIGGER notice_entity AFTER INSERT OR UPDATE ON datastream FOR EACH ROW EXECUTE FUNCTION notice_entity();
CREATE TRIGGER notice_entity AFTER INSERT OR UPDATE ON feature_of_interest FOR EACH ROW EXECUTE FUNCTION notice_entity();
