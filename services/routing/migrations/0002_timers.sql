CREATE TABLE routing.timers (
    ticket_id uuid        NOT NULL,
    kind      text        NOT NULL CHECK (kind IN ('pending', 'lock')),
    due_at    timestamptz NOT NULL,
    PRIMARY KEY (ticket_id, kind)
);
CREATE INDEX ON routing.timers (due_at);
COMMENT ON TABLE routing.timers IS
    'What waits for its time: written with the event that starts it, taken in one transaction with what it leads to. '
    'A timer whose matter has changed meanwhile leads to nothing; it is not looked for before.';

GRANT SELECT, INSERT, UPDATE, DELETE ON routing.timers TO {{app}};
