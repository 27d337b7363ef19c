CREATE TABLE {schema}.tickets (
    {columns of tickets}
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX ON {schema}.tickets (number);
-- Lists read these indexes in order, so that a page costs the same however long the list is.
CREATE INDEX ON {schema}.tickets (queue_id, priority DESC, created_at, id);
CREATE INDEX ON {schema}.tickets (queue_id, state_type, priority DESC, created_at, id);
CREATE INDEX ON {schema}.tickets (queue_id, created_at, id);
CREATE INDEX ON {schema}.tickets (queue_id, updated_at, id);
CREATE INDEX ON {schema}.tickets (queue_id, priority DESC, created_at, id) WHERE reminder_due;
CREATE INDEX ON {schema}.tickets (queue_id, priority DESC, created_at, id) WHERE escalated;
-- A ticket without a running deadline costs nothing here. Those come last in lists, in the order of their opening.
CREATE INDEX ON {schema}.tickets (queue_id, due_at, created_at, id) WHERE due_at IS NOT NULL;
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
    'One row per ticket, as its newest event left it. Names and the customer''s address are those of that moment; '
    'readers show the names of today for whatever has a document (decision 0089). `seen` holds, for each service, the '
    'version and id of its newest event that the row shows.';

CREATE VIEW {schema}.customer_tickets AS
SELECT {tickets for customers}
  FROM {schema}.tickets
 WHERE state_type <> 'removed';
COMMENT ON VIEW {schema}.customer_tickets IS
    'What customers may know of a ticket: not locks, who is responsible, tags, reminders, deadlines, time or the number of '
    'internal articles.';

CREATE TABLE {schema}.articles (
    {columns of articles},
    PRIMARY KEY (ticket_id, number)
);
CREATE INDEX ON {schema}.articles (ticket_id, created_at, number);
COMMENT ON TABLE {schema}.articles IS
    'Every message, note and call of a ticket, in log order. `people` holds from, to, cc, bcc and Reply-To.';

CREATE VIEW {schema}.public_articles AS
SELECT {articles for customers}
  FROM {schema}.articles
 WHERE NOT internal;
COMMENT ON VIEW {schema}.public_articles IS
    'The articles that customers may read. Reads for customers use this view only.';

CREATE TABLE {schema}.attachments (
    {columns of attachments},
    PRIMARY KEY (id, ticket_id, article)
);
COMMENT ON TABLE {schema}.attachments IS
    'Which articles have an attachment. The article holds its name and where its content is.';

CREATE VIEW {schema}.public_attachments AS SELECT * FROM {schema}.attachments WHERE NOT internal;
COMMENT ON VIEW {schema}.public_attachments IS
    'The attachments that customers may download. Reads for customers use this view only.';

CREATE TABLE {schema}.history (
    {columns of history},
    PRIMARY KEY (ticket_id, number)
);
CREATE INDEX ON {schema}.history (id);
-- What has changed since a position of the topic is read from this index, in the order of the topic.
CREATE INDEX ON {schema}.history (partition, position);
COMMENT ON TABLE {schema}.history IS
    'Every event of a ticket in log order. The texts, people, subject and times of a message are only in its article, '
    'whose number is `article`.';
