CREATE TABLE notify.held_notices (
    ticket_id      uuid        NOT NULL,
    person_id      uuid        NOT NULL,
    notice         uuid        NOT NULL,
    wording        text        NOT NULL,
    details        jsonb       NOT NULL,
    event_id       uuid        NOT NULL,
    correlation_id uuid,
    given_at       timestamptz NOT NULL DEFAULT now(),
    mail_at        timestamptz NOT NULL,
    PRIMARY KEY (ticket_id, person_id, notice)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX held_notices_due ON notify.held_notices (mail_at);
COMMENT ON TABLE notify.held_notices IS
    'Notices that are to reach a person by mail at mail_at, together with all others of the same ticket for the same person. wording '
    'names the text, details are its variables and hold personal data; event_id is the NoticeGiven. A row goes when its mail is requested.';

GRANT SELECT, INSERT, DELETE ON notify.held_notices TO {{app}};

-- Finds the followers of a queue to whom a trigger sends a mail.
CREATE INDEX documents_following ON directory.documents USING gin ((document -> 'follows'))
    WHERE kind = 'person' AND NOT retired;
