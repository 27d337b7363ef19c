CREATE TABLE {schema}.tickets (
    id                   uuid PRIMARY KEY,
    queue_id             uuid NOT NULL,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    first_answer_at      timestamptz,
    closed_at            timestamptz,
    locked_since         timestamptz,
    lock_expires_at      timestamptz,
    pending_until        timestamptz,
    customer_id          uuid NOT NULL,
    owner_id             uuid,
    previous_owner_id    uuid,
    responsible_id       uuid,
    locked_by_id         uuid,
    merged_into_id       uuid,
    time_units           double precision NOT NULL,
    article_count        integer NOT NULL,
    public_article_count integer NOT NULL,
    event_count          integer NOT NULL,
    priority             smallint NOT NULL,
    reminder_due         boolean NOT NULL,
    number               text NOT NULL,
    title                text NOT NULL,
    queue_slug           text NOT NULL,
    queue_name           text NOT NULL,
    state_slug           text NOT NULL,
    state_name           text NOT NULL,
    state_type           text NOT NULL,
    channel              text NOT NULL,
    customer_email       text NOT NULL,
    customer_name        text NOT NULL,
    company              text,
    owner_name           text,
    previous_owner_name  text,
    responsible_name     text,
    locked_by_name       text,
    merged_into_number   text,
    tags                 text[] NOT NULL,
    fields               json,
    form                 json,
    links                json,
    seen                 json NOT NULL
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX ON {schema}.tickets (number);
-- The lists (services/reporting/tickets/ticket_list.py) come out of these in order, so that a page costs the same however long a list is.
CREATE INDEX ON {schema}.tickets (queue_id, priority DESC, created_at, id);
CREATE INDEX ON {schema}.tickets (queue_id, state_type, priority DESC, created_at, id);
CREATE INDEX ON {schema}.tickets (queue_id, created_at, id);
CREATE INDEX ON {schema}.tickets (queue_id, updated_at, id);
CREATE INDEX ON {schema}.tickets (queue_id, priority DESC, created_at, id) WHERE reminder_due;
CREATE INDEX ON {schema}.tickets (customer_id, priority DESC, created_at, id);
CREATE INDEX ON {schema}.tickets (customer_email, priority DESC, created_at, id);
CREATE INDEX ON {schema}.tickets (company, priority DESC, created_at, id) WHERE company IS NOT NULL;
CREATE INDEX ON {schema}.tickets (owner_id, priority DESC, created_at, id) WHERE owner_id IS NOT NULL;
CREATE INDEX ON {schema}.tickets (responsible_id, priority DESC, created_at, id) WHERE responsible_id IS NOT NULL;
CREATE INDEX ON {schema}.tickets (locked_by_id, priority DESC, created_at, id) WHERE locked_by_id IS NOT NULL;
CREATE INDEX ON {schema}.tickets (queue_id, priority DESC, created_at, id) WHERE locked_by_id IS NOT NULL;
CREATE INDEX ON {schema}.tickets USING gin (tags) WHERE tags <> '{}';
CREATE INDEX ON {schema}.tickets (merged_into_id) WHERE merged_into_id IS NOT NULL;
COMMENT ON TABLE {schema}.tickets IS
    'One row per ticket, as its newest event left it. Names and the customer''s address are those of that moment: what has a document is called what the document '
    'says now (decision 0089). `seen` holds, per service, the version and id of the last event shown.';

CREATE VIEW {schema}.customer_tickets AS
SELECT id, queue_id, created_at, updated_at, first_answer_at, closed_at, NULL::timestamptz AS locked_since,
       NULL::timestamptz AS lock_expires_at, pending_until, customer_id, owner_id, NULL::uuid AS previous_owner_id,
       NULL::uuid AS responsible_id, NULL::uuid AS locked_by_id, merged_into_id, 0::double precision AS time_units, public_article_count AS article_count,
       public_article_count, event_count, priority, false AS reminder_due, number, title, queue_slug, queue_name, state_slug,
       state_name, state_type, channel, customer_email, customer_name, company, owner_name, NULL::text AS previous_owner_name,
       NULL::text AS responsible_name, NULL::text AS locked_by_name, merged_into_number, '{}'::text[] AS tags, fields, form, links, seen
  FROM {schema}.tickets
 WHERE state_type <> 'removed';
COMMENT ON VIEW {schema}.customer_tickets IS
    'What customers may know of a ticket: locks, who is responsible, tags, reminders, time and the number of internal articles cannot come out of it.';

CREATE TABLE {schema}.articles (
    ticket_id    uuid NOT NULL,
    id           uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    written_at   timestamptz,
    notification uuid,
    number       integer NOT NULL,
    internal     boolean NOT NULL,
    kind         text NOT NULL,
    sender       text NOT NULL,
    channel      text NOT NULL,
    subject      text NOT NULL,
    text         text NOT NULL,
    new_text     text,
    html         text,
    author       text,
    delivery     text,
    people       json NOT NULL,
    attachments  json,
    text_blob    json,
    mail         uuid,
    raw          json,
    message_id   text,
    reading_notes text[],
    PRIMARY KEY (ticket_id, number)
);
CREATE INDEX ON {schema}.articles (ticket_id, created_at, number);
COMMENT ON TABLE {schema}.articles IS 'Every message, note and call of a ticket, in log order; `people` holds from, to, cc and bcc, and what Reply-To asked for.';

CREATE VIEW {schema}.public_articles AS
SELECT ticket_id, id, created_at, written_at, notification, number, internal, kind, sender, channel, subject, text, new_text, html, author,
       delivery, (people::jsonb - '{bcc,reply_to,reply_to_doubt}'::text[])::json AS people, attachments, text_blob, mail, raw, message_id, NULL::text[] AS reading_notes
  FROM {schema}.articles
 WHERE NOT internal;
COMMENT ON VIEW {schema}.public_articles IS 'What customers may read: the customer''s reads name this view only.';

CREATE TABLE {schema}.attachments (
    id        uuid NOT NULL,
    ticket_id uuid NOT NULL,
    article   integer NOT NULL,
    internal  boolean NOT NULL,
    PRIMARY KEY (id, ticket_id, article)
);
COMMENT ON TABLE {schema}.attachments IS 'Which articles name an attachment; the article holds its name and content.';

CREATE VIEW {schema}.public_attachments AS SELECT * FROM {schema}.attachments WHERE NOT internal;
COMMENT ON VIEW {schema}.public_attachments IS 'The attachments that customers may fetch: the customer''s reads name this view only.';

CREATE TABLE {schema}.history (
    ticket_id  uuid NOT NULL,
    id         uuid NOT NULL,
    cause      uuid,
    at         timestamptz NOT NULL,
    number     integer NOT NULL,
    version    integer NOT NULL,
    article    integer,
    source     text NOT NULL,
    type       text NOT NULL,
    actor_kind text NOT NULL,
    actor_id   text,
    data       json NOT NULL,
    PRIMARY KEY (ticket_id, number)
);
COMMENT ON TABLE {schema}.history IS
    'Every event of a ticket in log order. A message''s texts, people, subject and times are not repeated: `article` names the article that '
    'has them.';
