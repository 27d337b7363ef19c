ALTER TABLE intake.tickets ADD COLUMN answers_to text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN intake.tickets.answers_to IS
    'Where the customer''s newest mail with a Reply-To wants answers: these addresses take part because of that, and may be named again.';

CREATE TABLE intake.hidden_copies (
    mail_id   uuid NOT NULL,
    queue_id  uuid NOT NULL,
    ticket_id uuid NOT NULL,
    PRIMARY KEY (mail_id, queue_id)
);
COMMENT ON TABLE intake.hidden_copies IS
    'The tickets that a mail opened when it was handed over again, for a queue that is not among its visible recipients. The key decides when '
    'that happens twice at once.';

GRANT UPDATE (answers_to) ON intake.tickets TO {{app}};
GRANT SELECT, INSERT ON intake.hidden_copies TO {{app}};
