CREATE SCHEMA gateway;
COMMENT ON SCHEMA gateway IS 'Who may sign in, and the configuration documents as they stand; the documents'' history is in es.events.';

CREATE TABLE gateway.documents (
    id         uuid        PRIMARY KEY,
    kind       text        NOT NULL,
    slug       text        NOT NULL,
    email      text,
    address    text,
    retired    boolean     NOT NULL,
    document   jsonb       NOT NULL,
    version    integer     NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE gateway.documents IS
    'Queues, people and companies, one row each, written in the transaction of their event. slug is a person''s login; email and '
    'address are in lower case. Retired rows stay readable and free their names for others.';
CREATE UNIQUE INDEX documents_slug_unique ON gateway.documents (kind, slug) WHERE NOT retired;
CREATE UNIQUE INDEX documents_email_unique ON gateway.documents (email) WHERE email IS NOT NULL AND NOT retired;
CREATE UNIQUE INDEX documents_address_unique ON gateway.documents (address) WHERE address IS NOT NULL AND NOT retired;
CREATE INDEX documents_retired_slug ON gateway.documents (kind, slug) WHERE retired;

CREATE TABLE gateway.credentials (
    person_id  uuid        PRIMARY KEY REFERENCES gateway.documents (id),
    hash       text        NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE gateway.credentials IS 'Password hashes (argon2id with its parameters). They never leave this table: not in events, not in answers.';

CREATE TABLE gateway.sessions (
    token_hash  bytea       PRIMARY KEY,
    id          uuid        NOT NULL UNIQUE,
    person_id   uuid        NOT NULL REFERENCES gateway.documents (id),
    kind        text        NOT NULL CHECK (kind IN ('session', 'token')),
    name        text        NOT NULL DEFAULT '',
    scopes      text[],
    command_id  uuid        UNIQUE,
    fingerprint bytea,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    last_used   timestamptz,
    ended_at    timestamptz
) WITH (fillfactor = 80);
COMMENT ON TABLE gateway.sessions IS
    'Sessions of people and API tokens, by the SHA-256 of their secret. scopes is null for a session, which may do all that the '
    'person may. Ended rows stay 30 days, so that a repeated request with the same idempotency key cannot revive a secret.';
CREATE INDEX sessions_of_person ON gateway.sessions (person_id, id) WHERE ended_at IS NULL;

GRANT USAGE ON SCHEMA gateway TO {{app}};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA gateway TO {{app}};
