CREATE SCHEMA intake;
COMMENT ON SCHEMA intake IS 'What intake looks up: numbers, customers, threads, and the mails that arrived. The facts stand in es.';

CREATE TABLE intake.tickets (
    ticket_id   uuid PRIMARY KEY,
    number      text NOT NULL UNIQUE,
    customer_id uuid NOT NULL
);
COMMENT ON TABLE intake.tickets IS 'Which ticket a number names, and whose it is.';

CREATE TABLE intake.customers (
    customer_id uuid PRIMARY KEY,
    email       text NOT NULL UNIQUE,
    name        text NOT NULL
);
COMMENT ON TABLE intake.customers IS
    'Everybody who ever wrote, by address in lower case; the empty address stands for senders that no mail reaches. The unique '
    'index decides when two first contacts happen at once.';

CREATE TABLE intake.mails (
    mail_id        uuid        PRIMARY KEY,
    digest         bytea       NOT NULL UNIQUE,
    received_at    timestamptz NOT NULL,
    envelope_from  text        NOT NULL,
    envelope_to    text[]      NOT NULL,
    blob           text        NOT NULL,
    size           bigint      NOT NULL,
    outcome        text        NOT NULL
        CHECK (outcome IN ('created', 'appended', 'bounce_recorded', 'auto_reply_recorded', 'ignored', 'held')),
    reason         text        NOT NULL,
    ticket_id      uuid,
    number         text,
    found          jsonb       NOT NULL
) WITH (fillfactor = 95);
COMMENT ON TABLE intake.mails IS
    'Every mail that was acknowledged, with what became of it. digest covers the bytes without trace fields (api.md, section 4), so '
    'that its unique index makes the same mail twice one. found is what the reading saw: subject, sender, bounces, ...';

CREATE TABLE intake.message_ids (
    hash      bytea PRIMARY KEY,
    ticket_id uuid  NOT NULL
);
COMMENT ON TABLE intake.message_ids IS 'SHA-256 of the Message-IDs of customers'' mails -> their ticket, to thread what refers to them.';

CREATE TABLE intake.number_blocks (
    day  date    PRIMARY KEY,
    next integer NOT NULL CHECK (next > 0)
) WITH (fillfactor = 10);
COMMENT ON TABLE intake.number_blocks IS
    'The first counter of the day that no block holds. A replica takes a whole block in a statement of its own, so that openings '
    'never wait for this row (decision record 0021).';

GRANT USAGE ON SCHEMA intake TO {{app}};
GRANT SELECT, INSERT ON intake.tickets, intake.customers, intake.message_ids TO {{app}};
GRANT SELECT, INSERT, UPDATE ON intake.mails, intake.number_blocks TO {{app}};
