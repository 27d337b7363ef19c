ALTER TABLE notify.tickets
    ADD COLUMN responsible         jsonb,
    ADD COLUMN responsible_version integer NOT NULL DEFAULT 0,
    ADD COLUMN customer            jsonb,
    ADD COLUMN customer_version    integer NOT NULL DEFAULT 0,
    ADD COLUMN message_id          text,
    ADD COLUMN message_id_version  integer NOT NULL DEFAULT 0,
    ADD COLUMN by_machine          boolean NOT NULL DEFAULT false;
COMMENT ON TABLE notify.tickets IS
    'What notices need of a ticket, as routing''s events told it last: number, title, queue, owner, responsible agent, customer (references '
    'as in the events; a null owner is the system) and the Message-ID of the customer''s newest mail. Each *_version is the version of '
    'routing''s stream that told the fact, 0 if none has: an older event that comes again changes nothing. by_machine: intake says that no '
    'person opened it. Of tickets that were queued before these columns came, customer and message_id are not known.';

CREATE INDEX documents_wanting_notices ON directory.documents (id)
    WHERE kind = 'person' AND NOT retired AND document -> 'notices' <> '[]'::jsonb;
