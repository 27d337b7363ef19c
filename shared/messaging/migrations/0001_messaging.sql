CREATE SCHEMA messaging;
COMMENT ON SCHEMA messaging IS 'What the consumers of this service remember: offsets, versions seen, parked events.';

CREATE TABLE messaging.checkpoints (
    consumer    text    NOT NULL,
    topic       text    NOT NULL,
    partition   integer NOT NULL,
    next_offset bigint  NOT NULL,
    PRIMARY KEY (consumer, topic, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE messaging.checkpoints IS
    'The offset that a consumer takes next; moved in the transaction of the effect, so that effects happen once.';

CREATE TABLE messaging.seen (
    consumer text    NOT NULL,
    stream   uuid    NOT NULL,
    producer text    NOT NULL,
    version  integer NOT NULL,
    event_id uuid    NOT NULL,
    PRIMARY KEY (consumer, stream, producer)
) WITH (fillfactor = 80);
COMMENT ON TABLE messaging.seen IS
    'The last version of each stream that a policy has worked through. Read models keep theirs in their own rows.';

CREATE TABLE messaging.parked (
    consumer  text        NOT NULL,
    stream    uuid        NOT NULL,
    topic     text        NOT NULL,
    partition integer     NOT NULL,
    "offset"  bigint      NOT NULL,
    value     bytea       NOT NULL,
    reason    text        NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, stream, topic, partition, "offset")
);
COMMENT ON TABLE messaging.parked IS
    'Events that could not be handled, and every later one of the same ticket, until an operator replays them.';

CREATE TABLE messaging.halted (
    consumer  text        PRIMARY KEY,
    reason    text        NOT NULL,
    halted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE messaging.halted IS 'Consumers that stopped for a reason which a restart does not mend; an operator resumes them.';

GRANT USAGE ON SCHEMA messaging TO {{app}};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA messaging TO {{app}};
