CREATE SCHEMA notify;

CREATE TABLE notify.deliveries (
    notification uuid        PRIMARY KEY,
    ticket_id    uuid        NOT NULL,
    version      integer     NOT NULL,
    due_at       timestamptz NOT NULL DEFAULT now(),
    attempts     integer     NOT NULL DEFAULT 0,
    remaining    text[],
    refused      text        NOT NULL DEFAULT '',
    last_error   text        NOT NULL DEFAULT ''
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX deliveries_due ON notify.deliveries (due_at);
COMMENT ON TABLE notify.deliveries IS
    'Mails that have not left yet: a queue, whose rows go with the event that tells the outcome. The mail itself is the event '
    '(ticket_id, version) of es.events. due_at is when a sender may take the row; taking it moves due_at ahead by the lease and counts '
    'the attempt, so that a row whose sender died comes up again. remaining: the recipients that are still to be tried (null: all); '
    'refused: what servers said of the recipients that they will never take; last_error: why it waits, empty while it is on its way.';

GRANT USAGE ON SCHEMA notify TO {{app}};
GRANT SELECT, INSERT, UPDATE, DELETE ON notify.deliveries TO {{app}};
