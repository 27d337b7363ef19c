CREATE TABLE notify.last_words (
    ticket_id  uuid        PRIMARY KEY,
    version    integer     NOT NULL,
    words      text        NOT NULL,
    writer     text        NOT NULL,
    said_at    timestamptz NOT NULL,
    readers    text[]      NOT NULL,
    message_id text
) WITH (fillfactor = 80);
COMMENT ON TABLE notify.last_words IS
    'What somebody who takes part in a ticket said last, for the quote below an answer: no more of it than a quote takes. version is that of '
    'intake''s stream; readers are the addresses of its writer and of all whom it was sent to. words, writer, readers and message_id are '
    'personal data.';

GRANT SELECT, INSERT, UPDATE ON notify.last_words TO {{app}};
