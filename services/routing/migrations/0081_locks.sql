CREATE TABLE routing.locks (
    ticket_id uuid PRIMARY KEY,
    person_id uuid NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX locks_by_person ON routing.locks (person_id);
COMMENT ON TABLE routing.locks IS
    'Who holds which ticket locked, written with the event that says so: the tickets of somebody who leaves are found here.';

INSERT INTO routing.locks (ticket_id, person_id)
SELECT l.stream_id, l.person_id
  FROM (SELECT DISTINCT ON (stream_id) stream_id, type, (data #>> '{by,id}')::uuid AS person_id
          FROM es.events
         WHERE type IN ('helpdesk.TicketLocked.v1', 'helpdesk.TicketUnlocked.v1')
         ORDER BY stream_id, version DESC) AS l
 WHERE l.type = 'helpdesk.TicketLocked.v1';

ALTER TABLE routing.timers DROP CONSTRAINT timers_kind_check, ADD CONSTRAINT timers_kind_check CHECK (kind IN ('pending', 'lock', 'left'));

GRANT SELECT, INSERT, UPDATE, DELETE ON routing.locks TO {{app}};
