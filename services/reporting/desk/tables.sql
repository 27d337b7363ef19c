CREATE TABLE {schema}.tickets (
    id                  uuid PRIMARY KEY,
    queue_id            uuid NOT NULL,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    first_answer_at     timestamptz,
    closed_at           timestamptz,
    locked_since        timestamptz,
    pending_until       timestamptz,
    customer_id         uuid NOT NULL,
    owner_id            uuid,
    previous_owner_id   uuid,
    locked_by_id        uuid,
    time_units          double precision NOT NULL,
    article_count       integer NOT NULL,
    event_count         integer NOT NULL,
    priority            smallint NOT NULL,
    number              text NOT NULL,
    title               text NOT NULL,
    queue_slug          text NOT NULL,
    queue_name          text NOT NULL,
    state_slug          text NOT NULL,
    state_name          text NOT NULL,
    state_type          text NOT NULL,
    channel             text NOT NULL,
    customer_email      text NOT NULL,
    customer_name       text NOT NULL,
    company             text,
    owner_name          text,
    previous_owner_name text,
    locked_by_name      text,
    tags                text[] NOT NULL,
    fields              json,
    seen                json NOT NULL
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX ON {schema}.tickets (number);
CREATE INDEX ON {schema}.tickets (queue_id, priority DESC, created_at, id);
CREATE INDEX ON {schema}.tickets (customer_email, priority DESC, created_at, id);
CREATE INDEX ON {schema}.tickets (company, priority DESC, created_at, id) WHERE company IS NOT NULL;
COMMENT ON TABLE {schema}.tickets IS
    'One row per ticket, as its newest event left it. `seen` holds, per service, the version and id of the last event shown.';

CREATE TABLE {schema}.articles (
    ticket_id    uuid NOT NULL,
    id           uuid NOT NULL,
    created_at   timestamptz NOT NULL,
    notification uuid,
    number       integer NOT NULL,
    internal     boolean NOT NULL,
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
    PRIMARY KEY (ticket_id, number)
);
COMMENT ON TABLE {schema}.articles IS 'Every message, note and call of a ticket, in log order; `people` holds from, to and cc.';

CREATE VIEW {schema}.public_articles AS SELECT * FROM {schema}.articles WHERE NOT internal;
COMMENT ON VIEW {schema}.public_articles IS 'What customers may read: the customer''s reads name this view only.';

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
    'Every event of a ticket in log order. The texts of a message are not repeated: `article` names the article that has them.';
