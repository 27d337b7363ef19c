CREATE TABLE {schema}.tickets (
    {columns of tickets},
    open boolean NOT NULL GENERATED ALWAYS AS
        (state_type IN ('new', 'open', 'pending_reminder', 'pending_auto_close')) STORED,
    PRIMARY KEY (id)
) WITH (fillfactor = 80);
-- What is open now: backlog, age, what people own and hold.
CREATE INDEX ON {schema}.tickets (queue_id) WHERE open;
CREATE INDEX ON {schema}.tickets (since) WHERE running IS NOT NULL;
COMMENT ON TABLE {schema}.tickets IS
    'One row per ticket as it is now. Its columns since `since` are the span that is not over yet.';

CREATE TABLE {schema}.spans (
    {columns of spans},
    open boolean NOT NULL GENERATED ALWAYS AS
        (state_type IN ('new', 'open', 'pending_reminder', 'pending_auto_close')) STORED,
    PRIMARY KEY (id, since)
);
CREATE INDEX ON {schema}.spans (until) INCLUDE (since, queue_id, running) WHERE running IS NOT NULL;
CREATE INDEX ON {schema}.spans (until) INCLUDE (since, queue_id, state_slug, open, state_type);
COMMENT ON TABLE {schema}.spans IS
    'Times that are over in which nothing of a ticket changed that reports look at: from `since` to `until`. Spans of one '
    'state have the same `state_since`, those of one owner the same `owner_since`, those of one queue the same '
    '`queue_since`; `running`: the clocks that run. What was undone is not in them.';

CREATE TABLE {schema}.facts (
    {columns of facts},
    PRIMARY KEY (id, number)
);
-- Most reports are answered from this index alone: it is much smaller than the table.
CREATE INDEX ON {schema}.facts (kind, at)
    INCLUDE (queue_id, priority, incoming, minutes, handling, units, person_id, owner_id, other_id, state_slug, channel,
             company, topic, clock, sla)
    WHERE counts;
CREATE INDEX ON {schema}.facts (at) INCLUDE (event_id, queue_id) WHERE undone;
COMMENT ON TABLE {schema}.facts IS
    'One row per counted event, with the ticket right after it (a move: right before it). `kind`: 1 opened, 2 further '
    'message of the customer, 3 answer, 4 note, 5 call, 6 time, 7 move, 8 owner changed, 9 closed, 10 reopened, 11 other '
    'change of state, 12 state unchanged, 13 merged, 14 split, 15 removed, 16 clock kept, 17 clock broken, 18 clock ended '
    'late, 19 clock changed in another way, 20 something else was undone. Reports read the rows that `counts`.';
