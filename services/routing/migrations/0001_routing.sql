CREATE SCHEMA routing;

CREATE TABLE routing.tickets (
    number    text PRIMARY KEY,
    ticket_id uuid NOT NULL
);
COMMENT ON TABLE routing.tickets IS 'Which ticket a number names, so that a command may use either.';

GRANT USAGE ON SCHEMA routing TO {{app}};
GRANT SELECT, INSERT ON routing.tickets TO {{app}};
