-- How old a notice is: the notifier's lag, and when it is given up.
ALTER TABLE notice ADD COLUMN made timestamptz NOT NULL DEFAULT clock_timestamp();
-- When the notifier was last in touch with the broker: whether it heard of every subscription since.
ALTER TABLE notifier ADD COLUMN in_touch timestamptz;
-- Topic filters that anybody ever subscribed to. The broker tells of a subscription once, and never of its end.
CREATE TABLE subscribed (filter text PRIMARY KEY);
