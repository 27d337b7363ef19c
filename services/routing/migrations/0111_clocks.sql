ALTER TABLE routing.timers
    DROP CONSTRAINT timers_kind_check,
    ADD CONSTRAINT timers_kind_check
        CHECK (kind IN ('pending', 'lock', 'left', 'first_answer', 'update', 'solution', 'recount'));

CREATE INDEX timers_by_due ON routing.timers (due_at) WHERE parked_at IS NULL;
DROP INDEX routing.timers_due_at_idx;
COMMENT ON INDEX routing.timers_by_due IS
    'What is due next is its first entry, however many timers wait or are parked.';

CREATE TABLE routing.places (
    ticket_id uuid    PRIMARY KEY,
    queue_id  uuid    NOT NULL,
    open      boolean NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX open_places ON routing.places (queue_id, ticket_id) WHERE open;
COMMENT ON TABLE routing.places IS
    'In which queue each ticket stands, and whether it is open (neither closed nor merged nor removed), written with the '
    'events that say so. A change of an SLA or calendar goes through the open tickets of the queues that it concerns.';

INSERT INTO routing.places (ticket_id, queue_id, open)
SELECT q.stream_id,
       (q.data #>> ARRAY[CASE q.type WHEN 'helpdesk.TicketQueued.v1' THEN 'queue' ELSE 'to' END, 'id'])::uuid,
       coalesce(s.state_type, 'new') NOT IN ('closed', 'merged', 'removed')
  FROM (SELECT DISTINCT ON (stream_id) stream_id, type, data
          FROM es.events
         WHERE type IN ('helpdesk.TicketQueued.v1', 'helpdesk.TicketMoved.v1')
         ORDER BY stream_id, version DESC) AS q
  LEFT JOIN (SELECT DISTINCT ON (stream_id)
                    stream_id,
                    CASE type WHEN 'helpdesk.StateChanged.v1' THEN data #>> '{to,type}'
                              WHEN 'helpdesk.MergeUndone.v1' THEN data #>> '{state,type}'
                              ELSE 'merged' END AS state_type
               FROM es.events
              WHERE type IN ('helpdesk.StateChanged.v1', 'helpdesk.TicketMerged.v1', 'helpdesk.MergeUndone.v1',
                             'helpdesk.TicketRemoved.v1')
              ORDER BY stream_id, version DESC) AS s USING (stream_id);

CREATE TABLE routing.recounts (
    queue_id     uuid        PRIMARY KEY,
    because      text        NOT NULL,
    cause        uuid        NOT NULL,
    requested_at timestamptz NOT NULL,
    round        smallint    NOT NULL DEFAULT 1 CHECK (round BETWEEN 1 AND 3),
    after        uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    until        uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    total        integer     NOT NULL,
    done         integer     NOT NULL DEFAULT 0,
    changed      integer     NOT NULL DEFAULT 0,
    finished_at  timestamptz
);
CREATE INDEX recounts_under_way ON routing.recounts (requested_at) WHERE finished_at IS NULL;
COMMENT ON TABLE routing.recounts IS
    'The queues whose open tickets are counted anew because an SLA or calendar was changed; a finished one tells about the last '
    'time. Each batch moves on in the transaction that records its events, so nothing is lost or done twice when a process dies.';
COMMENT ON COLUMN routing.recounts.because IS 'What was changed last, such as: sla gold.';
COMMENT ON COLUMN routing.recounts.cause IS 'The event of that change.';
COMMENT ON COLUMN routing.recounts.round IS
    '1: to the last ticket. 2: from the first one to "until". 3: those that were written to since the newest change, '
    'perhaps by a process that did not know it yet.';
COMMENT ON COLUMN routing.recounts.after IS 'The last ticket that was looked at in this round.';
COMMENT ON COLUMN routing.recounts.until IS
    'Where the recount stood when the newest change came: tickets up to there are looked at again.';
COMMENT ON COLUMN routing.recounts.total IS 'How many tickets are looked at since the newest change; done: how many were.';
COMMENT ON COLUMN routing.recounts.changed IS 'Of how many tickets a clock has moved.';

GRANT SELECT, INSERT, UPDATE ON routing.places, routing.recounts TO {{app}};
