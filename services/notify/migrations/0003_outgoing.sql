ALTER TABLE notify.deliveries
    ADD COLUMN requested_at  timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN domain        text        NOT NULL DEFAULT '',
    ADD COLUMN queue_id      uuid,
    ADD COLUMN unreached     integer     NOT NULL DEFAULT 0,
    ADD COLUMN on_its_way    boolean     NOT NULL DEFAULT false,
    ADD COLUMN despite_pause boolean     NOT NULL DEFAULT false,
    ADD COLUMN told_late     boolean     NOT NULL DEFAULT false;

UPDATE notify.deliveries d
   SET requested_at = e.recorded_at,
       domain = lower(split_part(coalesce(d.remaining[1], e.data #>> '{mail,to,0,email}', ''), '@', 2))
  FROM es.events e
 WHERE e.stream_id = d.ticket_id AND e.version = d.version;

COMMENT ON TABLE notify.deliveries IS
    'Mails that have not left yet: a queue, whose rows go with the event that tells the outcome. The mail itself is the event '
    '(ticket_id, version) of es.events. due_at is when a sender may take the row; taking it moves due_at ahead by the lease, sets '
    'on_its_way and counts the attempt, so that a row whose sender died comes up again. unreached: attempts of those that said nothing about '
    'the mail, because there was no server or no blob store. remaining: the recipients that are still to be tried (null: all); domain: of '
    'the first of them, as DNS knows it; queue_id: in whose name the mail leaves; refused: what servers said of the recipients that they '
    'will never take; last_error: why it waits, empty while it is on its way. despite_pause: an administrator wants the next attempt '
    'although the mail is paused; told_late: its ticket says that it waits.';

CREATE TABLE notify.pauses (
    pause    uuid        PRIMARY KEY,
    queue_id uuid,
    domain   text,
    by_id    uuid        NOT NULL,
    by_name  text        NOT NULL,
    reason   text        NOT NULL,
    since    timestamptz NOT NULL DEFAULT now(),
    CHECK (queue_id IS NULL OR domain IS NULL),
    UNIQUE NULLS NOT DISTINCT (queue_id, domain)
);
COMMENT ON TABLE notify.pauses IS
    'Outgoing mail that does not leave now by an administrator''s decision: of one queue, to one domain, or (both null) all of it.';

CREATE TABLE notify.decisions (
    decision     uuid        PRIMARY KEY,
    decided_at   timestamptz NOT NULL DEFAULT now(),
    action       text        NOT NULL CHECK (action IN ('pause', 'resume', 'retry', 'give_up')),
    by_id        uuid        NOT NULL,
    by_name      text        NOT NULL,
    reason       text        NOT NULL,
    queue_id     uuid,
    domain       text,
    notification uuid,
    ticket_id    uuid
);
COMMENT ON TABLE notify.decisions IS
    'What administrators decided about outgoing mail: who, when and why. Rows are only ever added; decision is a UUIDv7, so that its order is '
    'that of time. by_name is personal data.';

GRANT SELECT, INSERT, DELETE ON notify.pauses TO {{app}};
GRANT SELECT, INSERT ON notify.decisions TO {{app}};
