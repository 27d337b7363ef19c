ALTER TABLE notify.tickets
    ADD COLUMN state               text,
    ADD COLUMN state_version       integer NOT NULL DEFAULT 0,
    ADD COLUMN merged_into         uuid,
    ADD COLUMN merged_into_version integer NOT NULL DEFAULT 0;
COMMENT ON TABLE notify.tickets IS
    'What notices need of a ticket, as routing''s events told it last: number, title, queue, owner, responsible agent, customer (references '
    'as in the events; a null owner is the system), the Message-ID of the customer''s newest mail, the type of its state, and the ticket in '
    'which it goes on. Each *_version is the version of routing''s stream that told the fact, 0 if none has: an older event that comes again '
    'changes nothing. by_machine: intake says that no person opened it. Of tickets that were queued before a column came, it is not known.';

CREATE TABLE notify.closings (
    ticket_id uuid        PRIMARY KEY,
    version   integer     NOT NULL,
    closed_at timestamptz NOT NULL,
    event     bytea       NOT NULL,
    tell_at   timestamptz NOT NULL
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX closings_due ON notify.closings (tell_at);
COMMENT ON TABLE notify.closings IS
    'Closings that a customer may have to be told of at tell_at, if the ticket is still closed then: routing''s event as it was on the log, '
    'its time and version. A later state of the ticket takes its place, and an answer that came after it removes it.';

GRANT SELECT, INSERT, UPDATE, DELETE ON notify.closings TO {{app}};
