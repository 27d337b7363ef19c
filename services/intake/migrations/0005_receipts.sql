ALTER TABLE intake.tickets ADD COLUMN receipt_at timestamptz;
COMMENT ON COLUMN intake.tickets.receipt_at IS 'When it was decided that its customer gets a receipt; null: they get none.';

CREATE INDEX ON intake.tickets (customer_id, receipt_at) WHERE split_from IS NOT NULL AND receipt_at IS NOT NULL;

CREATE FUNCTION intake.receipts_of(customer uuid, since uuid, most integer) RETURNS integer LANGUAGE sql STABLE
    RETURN (SELECT count(*)::integer
              FROM ((SELECT FROM intake.tickets t
                      WHERE t.customer_id = customer AND t.ticket_id >= since AND t.split_from IS NULL AND t.receipt_at IS NOT NULL
                      LIMIT most)
                     UNION ALL
                    (SELECT FROM intake.tickets t
                      WHERE t.customer_id = customer AND t.split_from IS NOT NULL AND t.receipt_at > now() - interval '1 day'
                      LIMIT most)) AS lately);
COMMENT ON FUNCTION intake.receipts_of IS
    'How many receipts a customer was to get lately: for tickets that are newer than the id `since`, and for those that their messages on closed '
    'tickets became within a day, whose ids do not rise with time. Counted up to `most` of each.';

DROP FUNCTION intake.known;
CREATE FUNCTION intake.known(
    mail_digest bytea, address text, tickets uuid[], hashes bytea[], numbers text[], since uuid, most integer, most_receipts integer
) RETURNS TABLE (mail_id uuid, customer_id uuid, name text, company text, ticket_id uuid, number text, threaded_by text, standing text,
                 queue_id uuid, opened integer, newest_id uuid, newest_number text, receipts integer)
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
           n.ticket_id, n.number,
           (SELECT count(*)::integer
              FROM ((SELECT FROM intake.tickets o
                      WHERE o.customer_id = c.customer_id AND o.ticket_id >= since AND o.split_from IS NULL AND o.receipt_at IS NOT NULL
                      LIMIT most_receipts)
                     UNION ALL
                    (SELECT FROM intake.tickets o
                      WHERE o.customer_id = c.customer_id AND o.split_from IS NOT NULL AND o.receipt_at > now() - interval '1 day'
                      LIMIT most_receipts)) AS given)
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
    'the number in the subject counts. opened: how many tickets the sender has opened since (at most `most`), newest the last of them; '
    'receipts: how many they were to get, as receipts_of counts (written out: a function would be planned for every mail).';
