-- The views for analysts. Their columns are for ever: a change is a view with the next number beside the old one
-- (docs/decisions/0109). No column holds a text that people write, nor a name or address of a customer. A view that
-- leaves rows out is a security barrier: a condition of the analyst's never meets a row that is left out.

CREATE VIEW analytics.queues_v1 WITH (security_barrier) AS
SELECT d.id                     AS queue_id,
       d.slug                   AS queue,
       d.document ->> 'name'    AS name,
       d.document ->> 'parent'  AS parent,
       d.retired                AS retired
  FROM directory.documents d
 WHERE d.kind = 'queue';
COMMENT ON VIEW analytics.queues_v1 IS 'One row for each queue, also those out of use.';
COMMENT ON COLUMN analytics.queues_v1.queue_id IS 'The queue.';
COMMENT ON COLUMN analytics.queues_v1.queue IS 'Its slug. A slug of a queue out of use may belong to another one today.';
COMMENT ON COLUMN analytics.queues_v1.name IS 'Its name today.';
COMMENT ON COLUMN analytics.queues_v1.parent IS 'The slug of the queue above it; null for none.';
COMMENT ON COLUMN analytics.queues_v1.retired IS 'Whether it is out of use.';

CREATE VIEW analytics.people_v1 WITH (security_barrier) AS
SELECT d.id                     AS person_id,
       d.slug                   AS login,
       d.document ->> 'name'    AS name,
       d.document -> 'roles' ? 'admin' AS is_admin,
       d.retired                AS retired
  FROM directory.documents d
 WHERE d.kind = 'person' AND d.document -> 'roles' ?| ARRAY['agent', 'admin'];
COMMENT ON VIEW analytics.people_v1 IS 'One row for each agent and administrator, also those who have left. No customers.';
COMMENT ON COLUMN analytics.people_v1.person_id IS 'The person.';
COMMENT ON COLUMN analytics.people_v1.login IS 'What they sign in with.';
COMMENT ON COLUMN analytics.people_v1.name IS 'Their name today.';
COMMENT ON COLUMN analytics.people_v1.is_admin IS 'Whether they are an administrator.';
COMMENT ON COLUMN analytics.people_v1.retired IS 'Whether they have left.';

CREATE VIEW analytics.tickets_v1 AS
SELECT t.id                     AS ticket_id,
       t.number                 AS number,
       t.created_at             AS created_at,
       t.updated_at             AS updated_at,
       t.first_answer_at        AS first_answer_at,
       t.closed_at              AS closed_at,
       t.pending_until          AS pending_until,
       t.queue_id               AS queue_id,
       q.slug                   AS queue,
       t.state_slug             AS state,
       t.state_type             AS state_type,
       t.priority               AS priority,
       t.channel                AS channel,
       t.form #>> '{topic,slug}' AS topic,
       coalesce(k.person_id, t.customer_id) AS customer_id,
       t.company                AS company,
       t.owner_id               AS owner_id,
       t.responsible_id         AS responsible_id,
       t.locked_by_id           AS locked_by_id,
       t.merged_into_id         AS merged_into_id,
       t.tags                   AS tags,
       (SELECT jsonb_object_agg(f.key, f.value)
          FROM jsonb_each(t.fields::jsonb) f
          JOIN directory.documents d ON d.kind = 'field' AND d.slug = f.key
         WHERE CASE d.document ->> 'kind'
                    WHEN 'flag' THEN jsonb_typeof(f.value) = 'boolean'
                    WHEN 'number' THEN jsonb_typeof(f.value) = 'number'
                    WHEN 'date' THEN f.value #>> '{}' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'
                    WHEN 'choice' THEN d.document -> 'choices' @> f.value AND jsonb_typeof(f.value) = 'string'
                    ELSE false
               END)             AS fields,
       t.article_count          AS article_count,
       t.public_article_count   AS public_article_count,
       t.event_count            AS event_count,
       t.time_units             AS time_units
  FROM desk.tickets t
  LEFT JOIN directory.documents q ON q.id = t.queue_id
  LEFT JOIN directory.identities k ON k.customer_id = t.customer_id;
COMMENT ON VIEW analytics.tickets_v1 IS 'One row for each ticket as it is now, also merged and removed ones.';
COMMENT ON COLUMN analytics.tickets_v1.ticket_id IS 'The ticket.';
COMMENT ON COLUMN analytics.tickets_v1.number IS 'Its number, 16 digits.';
COMMENT ON COLUMN analytics.tickets_v1.created_at IS 'When it was opened.';
COMMENT ON COLUMN analytics.tickets_v1.updated_at IS 'The time of its newest event.';
COMMENT ON COLUMN analytics.tickets_v1.first_answer_at IS 'When an agent replied first; null: not yet.';
COMMENT ON COLUMN analytics.tickets_v1.closed_at IS 'When it was closed, if it is closed.';
COMMENT ON COLUMN analytics.tickets_v1.pending_until IS 'In a pending state: until when.';
COMMENT ON COLUMN analytics.tickets_v1.queue_id IS 'Its queue.';
COMMENT ON COLUMN analytics.tickets_v1.queue IS 'The slug of its queue.';
COMMENT ON COLUMN analytics.tickets_v1.state IS 'The slug of its state.';
COMMENT ON COLUMN analytics.tickets_v1.state_type IS
    'new, open, pending_reminder, pending_auto_close, closed, merged or removed.';
COMMENT ON COLUMN analytics.tickets_v1.priority IS '1 (very low) to 5 (immediate).';
COMMENT ON COLUMN analytics.tickets_v1.channel IS 'How it was opened: email, phone, web or api.';
COMMENT ON COLUMN analytics.tickets_v1.topic IS 'The slug of the topic of its form; null: without a form.';
COMMENT ON COLUMN analytics.tickets_v1.customer_id IS
    'Its customer. One who was known by an address first has the id of their person.';
COMMENT ON COLUMN analytics.tickets_v1.company IS 'The slug of the customer''s company; null for none.';
COMMENT ON COLUMN analytics.tickets_v1.owner_id IS 'Its owner (people_v1); null: nobody.';
COMMENT ON COLUMN analytics.tickets_v1.responsible_id IS 'Who is responsible (people_v1); null: nobody.';
COMMENT ON COLUMN analytics.tickets_v1.locked_by_id IS 'Who has it locked (people_v1); null: nobody.';
COMMENT ON COLUMN analytics.tickets_v1.merged_into_id IS 'The ticket that it was merged into.';
COMMENT ON COLUMN analytics.tickets_v1.tags IS 'Its tags, as agents wrote them.';
COMMENT ON COLUMN analytics.tickets_v1.fields IS
    'Its fields of the kinds number, date, flag and choice, by slug. Free texts are not here.';
COMMENT ON COLUMN analytics.tickets_v1.article_count IS 'Messages, notes and calls.';
COMMENT ON COLUMN analytics.tickets_v1.public_article_count IS 'Those of them that the customer may read.';
COMMENT ON COLUMN analytics.tickets_v1.event_count IS 'Events in events_v1.';
COMMENT ON COLUMN analytics.tickets_v1.time_units IS 'Time units that were accounted on it.';

CREATE VIEW analytics.events_v1 AS
SELECT h.ticket_id              AS ticket_id,
       h.number                 AS number,
       h.id                     AS event_id,
       h.cause                  AS cause_id,
       h.at                     AS at,
       h.type                   AS type,
       h.source                 AS source,
       h.actor_kind             AS actor_kind,
       CASE WHEN h.actor_kind IN ('agent', 'customer')
             AND h.actor_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN h.actor_id::uuid END AS actor_id,
       h.article                AS article_number
  FROM desk.history h;
COMMENT ON VIEW analytics.events_v1 IS 'One row for each event of each ticket: what happened, when, by whom. Not what it says.';
COMMENT ON COLUMN analytics.events_v1.ticket_id IS 'The ticket.';
COMMENT ON COLUMN analytics.events_v1.number IS 'Its place among the events of the ticket, from 1.';
COMMENT ON COLUMN analytics.events_v1.event_id IS 'The event.';
COMMENT ON COLUMN analytics.events_v1.cause_id IS 'The event that led to it; null: a person or a mail did.';
COMMENT ON COLUMN analytics.events_v1.at IS 'When it happened.';
COMMENT ON COLUMN analytics.events_v1.type IS 'What happened, such as helpdesk.AgentReplied.v1.';
COMMENT ON COLUMN analytics.events_v1.source IS 'The service that recorded it.';
COMMENT ON COLUMN analytics.events_v1.actor_kind IS 'Who did it: agent, customer, rule, service or system.';
COMMENT ON COLUMN analytics.events_v1.actor_id IS 'The agent (people_v1) or customer; null for others.';
COMMENT ON COLUMN analytics.events_v1.article_number IS 'The article that it added or changed (articles_v1).';

CREATE VIEW analytics.articles_v1 AS
SELECT a.ticket_id              AS ticket_id,
       a.number                 AS number,
       a.id                     AS article_id,
       a.created_at             AS created_at,
       a.written_at             AS written_at,
       a.kind                   AS kind,
       a.sender                 AS sender,
       a.channel                AS channel,
       a.internal               AS internal,
       a.delivery               AS delivery,
       coalesce(json_array_length(a.attachments), 0) AS attachment_count,
       length(a.text)           AS characters
  FROM desk.articles a;
COMMENT ON VIEW analytics.articles_v1 IS
    'One row for each message, note and call: its metadata, without subject, text, people and names of files.';
COMMENT ON COLUMN analytics.articles_v1.ticket_id IS 'The ticket.';
COMMENT ON COLUMN analytics.articles_v1.number IS 'Its number in the ticket, from 1.';
COMMENT ON COLUMN analytics.articles_v1.article_id IS 'The article.';
COMMENT ON COLUMN analytics.articles_v1.created_at IS 'When it was recorded.';
COMMENT ON COLUMN analytics.articles_v1.written_at IS 'The date that a mail claims.';
COMMENT ON COLUMN analytics.articles_v1.kind IS 'message, note, call and others.';
COMMENT ON COLUMN analytics.articles_v1.sender IS 'Who wrote it: customer, agent or system.';
COMMENT ON COLUMN analytics.articles_v1.channel IS 'email, phone, web, api, note or system.';
COMMENT ON COLUMN analytics.articles_v1.internal IS 'Whether customers may not read it.';
COMMENT ON COLUMN analytics.articles_v1.delivery IS 'What became of its mail; null: it was no outgoing mail.';
COMMENT ON COLUMN analytics.articles_v1.attachment_count IS 'How many files it has.';
COMMENT ON COLUMN analytics.articles_v1.characters IS 'The length of its text. Of a text of more than 64 kB, of its beginning.';

CREATE VIEW analytics.state_spans_v1 WITH (security_barrier) AS
SELECT s.id                     AS ticket_id,
       s.state_slug             AS state,
       s.state_type             AS state_type,
       s.state_since            AS started_at,
       CASE WHEN bool_and(s.until IS NOT NULL) THEN max(s.until) END AS ended_at
  FROM (SELECT id, state_slug, state_type, state_since, until FROM reports.spans
         UNION ALL
        SELECT id, state_slug, state_type, state_since, NULL FROM reports.tickets) s
 WHERE s.state_type <> 'removed'
 GROUP BY s.id, s.state_slug, s.state_type, s.state_since;
COMMENT ON VIEW analytics.state_spans_v1 IS
    'One row for each time that a ticket had a state, without those that were undone. Not of removed tickets.';
COMMENT ON COLUMN analytics.state_spans_v1.ticket_id IS 'The ticket.';
COMMENT ON COLUMN analytics.state_spans_v1.state IS 'The slug of the state.';
COMMENT ON COLUMN analytics.state_spans_v1.state_type IS 'Its type, as in tickets_v1.';
COMMENT ON COLUMN analytics.state_spans_v1.started_at IS 'Since when.';
COMMENT ON COLUMN analytics.state_spans_v1.ended_at IS 'Until when; null: it still has it.';

CREATE VIEW analytics.owner_spans_v1 WITH (security_barrier) AS
SELECT s.id                     AS ticket_id,
       s.owner_id               AS owner_id,
       s.owner_since            AS started_at,
       CASE WHEN bool_and(s.until IS NOT NULL) THEN max(s.until) END AS ended_at
  FROM (SELECT id, owner_id, owner_since, until FROM reports.spans
         WHERE owner_id IS NOT NULL AND state_type <> 'removed'
         UNION ALL
        SELECT id, owner_id, owner_since, NULL FROM reports.tickets
         WHERE owner_id IS NOT NULL AND state_type <> 'removed') s
 GROUP BY s.id, s.owner_id, s.owner_since;
COMMENT ON VIEW analytics.owner_spans_v1 IS
    'One row for each time that a ticket had an owner, without those that were undone. Not of removed tickets.';
COMMENT ON COLUMN analytics.owner_spans_v1.ticket_id IS 'The ticket.';
COMMENT ON COLUMN analytics.owner_spans_v1.owner_id IS 'The owner (people_v1).';
COMMENT ON COLUMN analytics.owner_spans_v1.started_at IS 'Since when.';
COMMENT ON COLUMN analytics.owner_spans_v1.ended_at IS 'Until when; null: they still own it.';

CREATE VIEW analytics.deadlines_v1 WITH (security_barrier) AS
SELECT t.id                     AS ticket_id,
       d.deadline ->> 'clock'   AS clock,
       d.deadline #>> '{sla,slug}' AS sla,
       d.deadline ->> 'state'   AS state,
       (d.deadline ->> 'due_at')::timestamptz AS due_at,
       (d.deadline ->> 'ended_at')::timestamptz AS ended_at
  FROM desk.tickets t
 CROSS JOIN LATERAL json_array_elements(t.deadlines) AS d(deadline)
 WHERE t.deadlines IS NOT NULL AND t.state_type <> 'removed';
COMMENT ON VIEW analytics.deadlines_v1 IS
    'One row for each clock of a ticket as it is now. Not of removed tickets, nor of clocks that no service level promises any more.';
COMMENT ON COLUMN analytics.deadlines_v1.ticket_id IS 'The ticket.';
COMMENT ON COLUMN analytics.deadlines_v1.clock IS 'first_answer, update or solution.';
COMMENT ON COLUMN analytics.deadlines_v1.sla IS 'The slug of the service level.';
COMMENT ON COLUMN analytics.deadlines_v1.state IS
    'running, paused, kept or broken. Broken without ended_at: it is late now.';
COMMENT ON COLUMN analytics.deadlines_v1.due_at IS 'When it is due; null while it is paused.';
COMMENT ON COLUMN analytics.deadlines_v1.ended_at IS 'When it ended, in time or late; null: it goes on.';

CREATE VIEW analytics.time_entries_v1 WITH (security_barrier) AS
SELECT f.event_id               AS event_id,
       f.id                     AS ticket_id,
       f.at                     AS at,
       f.person_id              AS person_id,
       f.queue_id               AS queue_id,
       f.units                  AS time_units
  FROM reports.facts f
 WHERE f.kind = 6 AND f.counts;
COMMENT ON VIEW analytics.time_entries_v1 IS 'One row for each time that time was accounted on a ticket. Not on removed tickets.';
COMMENT ON COLUMN analytics.time_entries_v1.event_id IS 'The event (events_v1).';
COMMENT ON COLUMN analytics.time_entries_v1.ticket_id IS 'The ticket.';
COMMENT ON COLUMN analytics.time_entries_v1.at IS 'When it was accounted.';
COMMENT ON COLUMN analytics.time_entries_v1.person_id IS 'Whose work it was (people_v1).';
COMMENT ON COLUMN analytics.time_entries_v1.queue_id IS 'The queue that the ticket was in then.';
COMMENT ON COLUMN analytics.time_entries_v1.time_units IS 'How much; the desk decides what a unit is.';
