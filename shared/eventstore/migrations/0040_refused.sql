CREATE TABLE es.refused (
    stream_id  uuid        PRIMARY KEY,
    version    integer     NOT NULL,
    reason     text        NOT NULL,
    refused_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE es.refused IS
    'Streams of which Kafka refuses an event (version) for good. It and every later one of the stream wait in the outbox, in their order, '
    'until an operator lets the relay try again; other streams flow.';

GRANT SELECT, INSERT, DELETE ON es.refused TO {{app}};
