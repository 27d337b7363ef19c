CREATE TABLE notify.tickets (
    ticket_id     uuid    PRIMARY KEY,
    number        text    NOT NULL,
    title         text    NOT NULL,
    title_version integer NOT NULL,
    queue         jsonb,
    queue_version integer NOT NULL,
    owner         jsonb,
    owner_version integer NOT NULL
) WITH (fillfactor = 80);
COMMENT ON TABLE notify.tickets IS
    'What the notices of reminders and expired locks need of a ticket, as routing''s events told it last: number, title, queue and owner '
    '(references as in the events; a null owner is the system). Each *_version is the version of routing''s stream that told the fact, 0 '
    'if none has: an older event that comes again changes nothing.';

GRANT SELECT, INSERT, UPDATE, DELETE ON notify.tickets TO {{app}};
