ALTER TABLE intake.tickets ADD COLUMN automatic integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN intake.tickets.automatic IS
    'How many machines'' mails stand in the ticket. Counted here, so that a mail on a long ticket reads one event and not all of them.';

UPDATE intake.tickets t
   SET automatic = e.count
  FROM (SELECT stream_id, count(*)::integer FROM es.events WHERE type LIKE 'helpdesk.AutomaticMailReceived.%' GROUP BY stream_id) AS e
 WHERE t.ticket_id = e.stream_id;

GRANT UPDATE (automatic) ON intake.tickets TO {{app}};
