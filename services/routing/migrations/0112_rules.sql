CREATE TABLE routing.matches (
    match_id       bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id      uuid        NOT NULL,
    trigger_id     uuid        NOT NULL,
    version        integer     NOT NULL,
    name           text        NOT NULL,
    cause          uuid        NOT NULL,
    correlation_id uuid        NOT NULL,
    depth          smallint    NOT NULL,
    actions        json        NOT NULL,
    matched_at     timestamptz NOT NULL DEFAULT now(),
    parked_at      timestamptz,
    reason         text
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX matches_of_ticket ON routing.matches (ticket_id, match_id);
CREATE INDEX matches_waiting ON routing.matches (match_id) WHERE parked_at IS NULL;
COMMENT ON TABLE routing.matches IS
    'Triggers that are to act on a ticket: written with the event that they match (cause), deleted in the transaction of what they do. '
    'The ids of one ticket rise in the order of its events and of its triggers, because they are drawn while its stream is locked.';
COMMENT ON COLUMN routing.matches.depth IS 'How many rules have acted one after the other, with this one.';
COMMENT ON COLUMN routing.matches.parked_at IS 'Set while the match waits for an operator, because it failed (reason).';

CREATE TABLE routing.suspended_triggers (
    trigger_id   uuid        NOT NULL,
    version      integer     NOT NULL,
    reason       text        NOT NULL,
    suspended_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (trigger_id, version)
);
COMMENT ON TABLE routing.suspended_triggers IS
    'Versions of triggers that cannot do what they say, written with their event: they do nothing any more, whatever the configuration says.';

CREATE TABLE routing.owned (
    ticket_id uuid PRIMARY KEY,
    owner_id  uuid NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX owned_by_owner ON routing.owned (owner_id);
COMMENT ON TABLE routing.owned IS
    'Who owns which open ticket, written with the event that says so: what somebody has to do is counted here when work is given to the least loaded.';

INSERT INTO routing.owned (ticket_id, owner_id)
SELECT o.stream_id, o.owner_id
  FROM (SELECT DISTINCT ON (stream_id) stream_id, (data #>> '{to,id}')::uuid AS owner_id
          FROM es.events
         WHERE type = 'helpdesk.OwnerChanged.v1'
         ORDER BY stream_id, version DESC) AS o
  LEFT JOIN (SELECT DISTINCT ON (stream_id) stream_id,
                    type IN ('helpdesk.TicketMerged.v1', 'helpdesk.TicketRemoved.v1')
                    OR coalesce(data #>> '{to,type}', data #>> '{state,type}') = 'closed' AS is_over
               FROM es.events
              WHERE type IN ('helpdesk.StateChanged.v1', 'helpdesk.TicketMerged.v1', 'helpdesk.MergeUndone.v1', 'helpdesk.TicketRemoved.v1')
              ORDER BY stream_id, version DESC) AS s ON s.stream_id = o.stream_id
 WHERE o.owner_id IS NOT NULL AND NOT coalesce(s.is_over, false);

CREATE TABLE routing.turns (
    turn_id   uuid   PRIMARY KEY,
    taken     bigint NOT NULL DEFAULT 0,
    person_id uuid
) WITH (fillfactor = 50);
COMMENT ON TABLE routing.turns IS
    'Who was chosen last when tickets were given to people in turn: of a queue (its id), and of all that goes to the least loaded. '
    'Its row is what serialises such choices.';

CREATE TABLE routing.idle (
    ticket_id uuid        PRIMARY KEY,
    acted_at  timestamptz NOT NULL,
    due_at    timestamptz,
    judged    uuid[]      NOT NULL DEFAULT '{}',
    matched   uuid[]      NOT NULL DEFAULT '{}'
) WITH (fillfactor = 70);
CREATE INDEX idle_due ON routing.idle (due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE routing.idle IS
    'Open tickets, while there are triggers on idle ones: when a person acted last, when to look again, and which triggers have been judged and '
    'have matched since.';

CREATE TABLE routing.idle_triggers (
    trigger_id uuid    PRIMARY KEY,
    version    integer NOT NULL,
    after      uuid    NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    done       boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE routing.idle_triggers IS
    'How far the tickets that exist already were looked through for a trigger on idle ones: up to the ticket `after`, in batches.';

CREATE FUNCTION routing.write(rows json) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    turn record;
BEGIN
    FOR turn IN SELECT * FROM json_to_recordset(rows -> 'turns') AS t(turn uuid, expected bigint, person uuid) ORDER BY t.turn, t.expected
    LOOP
        INSERT INTO routing.turns AS t (turn_id, taken, person_id)
        VALUES (turn.turn, turn.expected + 1, turn.person)
            ON CONFLICT (turn_id) DO UPDATE SET taken = excluded.taken, person_id = excluded.person_id
         WHERE t.taken = turn.expected;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'turn % is not at %', turn.turn, turn.expected USING ERRCODE = 'LD409';
        END IF;
    END LOOP;

    INSERT INTO routing.matches (ticket_id, trigger_id, version, name, cause, correlation_id, depth, actions)
    SELECT m.ticket, m.trigger, m.version, m.name, m.cause, m.correlation, m.depth, m.actions
      FROM ROWS FROM (json_to_recordset(rows -> 'matches') AS (
               ticket uuid, trigger uuid, version integer, name text, cause uuid, correlation uuid, depth smallint, actions json
           )) WITH ORDINALITY AS m(ticket, trigger, version, name, cause, correlation, depth, actions, place)
     ORDER BY m.place;

    DELETE FROM routing.owned o
     USING json_to_recordset(rows -> 'owned') AS r(ticket uuid, owner uuid)
     WHERE r.owner IS NULL AND o.ticket_id = r.ticket;
    INSERT INTO routing.owned (ticket_id, owner_id)
    SELECT r.ticket, r.owner
      FROM json_to_recordset(rows -> 'owned') AS r(ticket uuid, owner uuid)
     WHERE r.owner IS NOT NULL
     ORDER BY r.ticket
        ON CONFLICT (ticket_id) DO UPDATE SET owner_id = excluded.owner_id;

    DELETE FROM routing.idle i
     USING json_to_recordset(rows -> 'acted_on') AS r(ticket uuid, due timestamptz)
     WHERE r.due IS NULL AND i.ticket_id = r.ticket;
    INSERT INTO routing.idle (ticket_id, acted_at, due_at)
    SELECT r.ticket, r.at, r.due
      FROM json_to_recordset(rows -> 'acted_on') AS r(ticket uuid, at timestamptz, due timestamptz)
     WHERE r.due IS NOT NULL
     ORDER BY r.ticket
        ON CONFLICT (ticket_id) DO UPDATE SET acted_at = excluded.acted_at, due_at = excluded.due_at, judged = DEFAULT, matched = DEFAULT;
    RETURN true;
END $$;
COMMENT ON FUNCTION routing.write IS
    'Writes the rows that belong to decisions (services/routing/rows.py), behind es.append and in its transaction. Raises LD409 if somebody else was '
    'chosen meanwhile, after so many others as expected: whoever chose must choose again.';

GRANT SELECT, INSERT, UPDATE, DELETE ON routing.matches, routing.owned, routing.idle, routing.idle_triggers TO {{app}};
GRANT SELECT, INSERT ON routing.suspended_triggers TO {{app}};
GRANT SELECT, INSERT, UPDATE ON routing.turns TO {{app}};
