ALTER TABLE intake.tickets
    ADD COLUMN queue_id     uuid,
    ADD COLUMN email        text,
    ADD COLUMN company      text,
    ADD COLUMN split_from   uuid,
    ADD COLUMN goes_on_in   uuid,
    ADD COLUMN desk_version integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN intake.tickets.queue_id IS 'The queue to which the desk has moved the ticket; null: still the one in which it was opened.';
COMMENT ON COLUMN intake.tickets.email IS 'Whose ticket the desk has made it, with the company; null: still the customer''s who opened it.';
COMMENT ON COLUMN intake.tickets.goes_on_in IS
    'The ticket that takes the messages for this one, because it was merged; or the one that it was split from, when that was taken back.';
COMMENT ON COLUMN intake.tickets.desk_version IS 'The version of routing''s stream that told the last of these; what comes again changes nothing.';

CREATE FUNCTION intake.living(ticket uuid) RETURNS uuid LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH RECURSIVE chain(id, next, step) AS (
        SELECT t.ticket_id, t.goes_on_in, 0 FROM intake.tickets t WHERE t.ticket_id = ticket
         UNION ALL
        SELECT t.ticket_id, t.goes_on_in, c.step + 1
          FROM chain c
          JOIN intake.tickets t ON t.ticket_id = c.next
    ) CYCLE id SET again USING way
    SELECT id FROM chain ORDER BY step DESC LIMIT 1;
END;
COMMENT ON FUNCTION intake.living IS
    'The ticket that a message for this one goes to: along all merges to the living one. A circle ends at the first ticket that comes '
    'again. The desk makes none, but merges and undos of two tickets come by two partitions, so that one may be seen for a moment.';

CREATE OR REPLACE FUNCTION intake.known(
    mail_digest bytea, address text, tickets uuid[], hashes bytea[], numbers text[]
) RETURNS TABLE (mail_id uuid, customer_id uuid, name text, company text, ticket_id uuid, number text, threaded_by text)
-- The planner would otherwise plan this again for every mail, which takes longer than running it.
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT m.mail_id, c.customer_id, c.name, intake.company_of(address), l.ticket_id, l.number, t.threaded_by
      FROM (SELECT) AS always
      LEFT JOIN intake.mails m ON m.digest = mail_digest
      LEFT JOIN intake.customers c ON c.email = address
      LEFT JOIN LATERAL (
            SELECT k.ticket_id, 'reference' AS threaded_by, 1 AS kind, n.place
              FROM unnest(tickets) WITH ORDINALITY AS n(ticket_id, place)
              JOIN intake.tickets k USING (ticket_id)
             UNION ALL
            SELECT k.ticket_id, 'message-id', 1, n.place
              FROM unnest(hashes) WITH ORDINALITY AS n(hash, place)
              JOIN intake.message_ids i USING (hash)
              JOIN intake.tickets k USING (ticket_id)
             UNION ALL
            SELECT k.ticket_id, 'subject', 2, n.place
              FROM unnest(numbers) WITH ORDINALITY AS n(number, place)
              JOIN intake.tickets k USING (number)
             ORDER BY kind, place
             LIMIT 1) AS t ON true
      LEFT JOIN intake.tickets l ON l.ticket_id = intake.living(t.ticket_id);
END $$;
COMMENT ON FUNCTION intake.known IS
    'Everything that the decision on a mail needs, in one round trip and always one row: the mail if it was taken before, the '
    'customer of its sender, and the ticket it answers, where merges lead. hashes are the Message-IDs that the mail refers to, the nearest '
    'first, tickets beside them those that are our own name (reference); a customer''s own counts as much (message-id), because a mail '
    'on a closed ticket may have become a ticket itself. Only then the number in the subject counts.';

GRANT UPDATE (queue_id, email, company, goes_on_in, desk_version) ON intake.tickets TO {{app}};
GRANT UPDATE (ticket_id) ON intake.message_ids TO {{app}};
