ALTER TABLE intake.tickets ADD COLUMN receipt_mailbox text;
COMMENT ON COLUMN intake.tickets.receipt_mailbox IS
    'The mailbox that the receipt goes to, without tags and other spellings (services/intake/real_mailbox.py); null: none goes out.';

CREATE INDEX ON intake.tickets (receipt_mailbox, receipt_at) WHERE receipt_mailbox IS NOT NULL;

DROP FUNCTION intake.known;
CREATE FUNCTION intake.known(
    mail_digest bytea, address text, tickets uuid[], hashes bytea[], numbers text[], since uuid, most integer
) RETURNS TABLE (mail_id uuid, customer_id uuid, name text, company text, ticket_id uuid, number text, threaded_by text, standing text,
                 queue_id uuid, opened integer, newest_id uuid, newest_number text)
-- The planner would otherwise plan this again for every mail, which takes longer than running it.
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT m.mail_id, c.customer_id, c.name, intake.company_of(address), l.ticket_id, l.number, t.threaded_by,
           coalesce(intake.takes_part(l.ticket_id, address), intake.takes_part(t.ticket_id, address)), l.queue_id,
           (SELECT count(*)::integer
              FROM (SELECT FROM intake.tickets o
                     WHERE o.customer_id = c.customer_id AND o.ticket_id >= since AND o.split_from IS NULL
                     LIMIT most) AS lately),
           n.ticket_id, n.number
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
      LEFT JOIN intake.tickets l ON l.ticket_id = intake.living(t.ticket_id)
      LEFT JOIN LATERAL (
            SELECT o.ticket_id
              FROM intake.tickets o
             WHERE o.customer_id = c.customer_id AND o.ticket_id >= since AND o.split_from IS NULL
             ORDER BY o.ticket_id DESC
             LIMIT 1) AS last ON true
      LEFT JOIN intake.tickets n ON n.ticket_id = intake.living(last.ticket_id);
END $$;
COMMENT ON FUNCTION intake.known IS
    'Everything that the decision on a mail needs, in one round trip and always one row: the mail if it was taken before, the '
    'customer of its sender, the ticket it answers, where merges lead, and what the sender is to it. hashes are the Message-IDs that the mail '
    'refers to, the nearest first, tickets beside them those that are our own name, and after them those whose address it was sent to '
    '(reference); a customer''s own counts as much (message-id), because a mail on a closed ticket may have become a ticket itself. Only then '
    'the number in the subject counts. opened: how many tickets the sender has opened since (at most `most`), newest the last of them.';

DROP FUNCTION intake.receipts_of;
