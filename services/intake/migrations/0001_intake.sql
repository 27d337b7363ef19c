CREATE SCHEMA intake;
COMMENT ON SCHEMA intake IS 'What intake looks up: numbers, customers, threads, and the mails that arrived. The facts stand in es.';

CREATE TABLE intake.tickets (
    ticket_id   uuid PRIMARY KEY,
    number      text NOT NULL UNIQUE,
    customer_id uuid NOT NULL
);
COMMENT ON TABLE intake.tickets IS 'Which ticket a number names, and whose it is.';

CREATE TABLE intake.customers (
    customer_id uuid PRIMARY KEY,
    email       text NOT NULL UNIQUE,
    name        text NOT NULL
);
COMMENT ON TABLE intake.customers IS
    'Everybody who ever wrote, by address in lower case; the empty address stands for senders that no mail reaches. The unique '
    'index decides when two first contacts happen at once.';

CREATE TABLE intake.mails (
    mail_id        uuid        PRIMARY KEY,
    digest         bytea       NOT NULL UNIQUE,
    received_at    timestamptz NOT NULL,
    envelope_from  text        NOT NULL,
    envelope_to    text[]      NOT NULL,
    blob           text        NOT NULL,
    size           bigint      NOT NULL,
    outcome        text        NOT NULL
        CHECK (outcome IN ('created', 'appended', 'bounce_recorded', 'auto_reply_recorded', 'ignored', 'held')),
    reason         text        NOT NULL,
    ticket_id      uuid,
    number         text,
    found          jsonb       NOT NULL
) WITH (fillfactor = 95);
COMMENT ON TABLE intake.mails IS
    'Every mail that was acknowledged, with what became of it. digest covers the bytes without trace fields (api.md, section 4), so '
    'that its unique index makes the same mail twice one. found is what the reading saw: subject, sender, bounces, ...';

CREATE TABLE intake.message_ids (
    hash      bytea PRIMARY KEY,
    ticket_id uuid  NOT NULL
);
COMMENT ON TABLE intake.message_ids IS 'SHA-256 of the Message-IDs of customers'' mails -> their ticket, to thread what refers to them.';

CREATE TABLE intake.number_blocks (
    day  date    PRIMARY KEY,
    next integer NOT NULL CHECK (next > 0)
) WITH (fillfactor = 10);
COMMENT ON TABLE intake.number_blocks IS
    'The first counter of the day that no block holds. A replica takes a whole block in a statement of its own, so that openings '
    'never wait for this row (decision record 0021).';

CREATE FUNCTION intake.company_of(address text) RETURNS text LANGUAGE sql STABLE
    RETURN (SELECT p.document ->> 'company'
              FROM directory.documents p
             WHERE p.email = address AND p.kind = 'person' AND NOT p.retired
             ORDER BY p.id
             LIMIT 1);
COMMENT ON FUNCTION intake.company_of IS 'The slug of the company that the person with this address belongs to, if any.';

CREATE FUNCTION intake.known(
    mail_digest bytea, address text, tickets uuid[], hashes bytea[], numbers text[]
) RETURNS TABLE (mail_id uuid, customer_id uuid, name text, company text, ticket_id uuid, number text, threaded_by text)
-- The planner would otherwise plan this again for every mail, which takes longer than running it.
LANGUAGE plpgsql STABLE SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT m.mail_id, c.customer_id, c.name, intake.company_of(address), t.ticket_id, t.number, t.threaded_by
      FROM (SELECT) AS always
      LEFT JOIN intake.mails m ON m.digest = mail_digest
      LEFT JOIN intake.customers c ON c.email = address
      LEFT JOIN LATERAL (
            SELECT k.ticket_id, k.number, 'reference' AS threaded_by, 1 AS rank, n.place
              FROM unnest(tickets) WITH ORDINALITY AS n(ticket_id, place)
              JOIN intake.tickets k USING (ticket_id)
             UNION ALL
            SELECT k.ticket_id, k.number, 'message-id', 2, n.place
              FROM unnest(hashes) WITH ORDINALITY AS n(hash, place)
              JOIN intake.message_ids i USING (hash)
              JOIN intake.tickets k USING (ticket_id)
             UNION ALL
            SELECT k.ticket_id, k.number, 'subject', 3, n.place
              FROM unnest(numbers) WITH ORDINALITY AS n(number, place)
              JOIN intake.tickets k USING (number)
             ORDER BY rank, place
             LIMIT 1) AS t ON true;
END $$;
COMMENT ON FUNCTION intake.known IS
    'Everything that the decision on a mail needs, in one round trip and always one row: the mail if it was taken before, the '
    'customer of its sender, and the ticket it answers. What names a ticket counts in this order: a Message-ID of ours '
    '(reference), one of a customer''s mails (message-id), the number in the subject.';

GRANT USAGE ON SCHEMA intake TO {{app}};
GRANT SELECT, INSERT ON intake.tickets, intake.customers, intake.message_ids TO {{app}};
GRANT SELECT, INSERT, UPDATE ON intake.mails, intake.number_blocks TO {{app}};
