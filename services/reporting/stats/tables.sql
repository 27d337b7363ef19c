CREATE TABLE {schema}.tickets (
    id          uuid PRIMARY KEY,
    queue_id    uuid NOT NULL,
    locked_by   uuid,
    owner       uuid,
    responsible uuid,
    due         boolean NOT NULL,
    state_type  text NOT NULL,
    escalating  json,
    seen        json NOT NULL
) WITH (fillfactor = 80);
COMMENT ON TABLE {schema}.tickets IS 'What is needed of a ticket to keep the counts right.';

CREATE TABLE {schema}.queues (
    queue_id   uuid PRIMARY KEY,
    new        integer NOT NULL DEFAULT 0,
    open       integer NOT NULL DEFAULT 0,
    pending    integer NOT NULL DEFAULT 0,
    closed     integer NOT NULL DEFAULT 0,
    locked     integer NOT NULL DEFAULT 0,
    due        integer NOT NULL DEFAULT 0,
    escalated  integer NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE {schema}.queues IS 'How many tickets each queue has in each type of state, and how many of those not closed are locked, have a reminder that has come, and are escalated.';

CREATE TABLE {schema}.people (
    person_id        uuid    NOT NULL,
    queue_id         uuid    NOT NULL,
    locked           integer NOT NULL DEFAULT 0,
    owned            integer NOT NULL DEFAULT 0,
    responsible      integer NOT NULL DEFAULT 0,
    owned_due        integer NOT NULL DEFAULT 0,
    owned_escalated  integer NOT NULL DEFAULT 0,
    locked_new       integer NOT NULL DEFAULT 0,
    locked_open      integer NOT NULL DEFAULT 0,
    locked_due       integer NOT NULL DEFAULT 0,
    locked_escalated integer NOT NULL DEFAULT 0,
    PRIMARY KEY (person_id, queue_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE {schema}.people IS 'How many tickets that are not closed each agent holds locked, owns and is responsible for, in each queue; of those locked, how many are new, open, due, and escalated; of those owned, how many are due, and escalated.';

CREATE TABLE {schema}.time (
    day       date    NOT NULL,
    person_id uuid    NOT NULL,
    ticket_id uuid    NOT NULL,
    units     numeric NOT NULL,
    PRIMARY KEY (day, person_id, ticket_id)
);
CREATE INDEX ON {schema}.time (ticket_id);
COMMENT ON TABLE {schema}.time IS 'Time units that each agent accounted on each ticket on each day of the desk''s time zone.';

CREATE TABLE {schema}.days (
    day      date    NOT NULL,
    queue_id uuid    NOT NULL,
    created  integer NOT NULL DEFAULT 0,
    closed   integer NOT NULL DEFAULT 0,
    answered integer NOT NULL DEFAULT 0,
    PRIMARY KEY (day, queue_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE {schema}.days IS 'What happened on each day of the desk''s time zone: tickets created, closings, answers sent.';
