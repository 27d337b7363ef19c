CREATE TABLE gateway.report_timers (
    schedule_id uuid        PRIMARY KEY,
    due_at      timestamptz,
    saved_by    uuid        NOT NULL
);
CREATE INDEX report_timers_due ON gateway.report_timers (due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE gateway.report_timers IS
    'When each report schedule in use is due next (null: it is not active), and who has saved it last: reports are made with that '
    'person''s rights. Written in the transaction that saves or retires the document.';

CREATE TABLE gateway.report_runs (
    run_id      uuid        PRIMARY KEY,
    schedule_id uuid        NOT NULL,
    due_at      timestamptz NOT NULL,
    asked_by    uuid,
    starts_at   timestamptz NOT NULL,
    ends_at     timestamptz NOT NULL,
    timezone    text        NOT NULL,
    state       text        NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'mailed', 'skipped', 'failed')),
    reason      text        NOT NULL DEFAULT '',
    recipients  jsonb       NOT NULL DEFAULT '[]',
    left_out    jsonb       NOT NULL DEFAULT '[]',
    attempts    integer     NOT NULL DEFAULT 0,
    attempt_at  timestamptz NOT NULL DEFAULT now(),
    made_at     timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE INDEX report_runs_waiting ON gateway.report_runs (attempt_at) WHERE state = 'waiting';
CREATE INDEX report_runs_of_schedule ON gateway.report_runs (schedule_id, made_at DESC, run_id DESC);
CREATE INDEX report_runs_finished ON gateway.report_runs (finished_at) WHERE finished_at IS NOT NULL;
COMMENT ON TABLE gateway.report_runs IS
    'Each time that a report was or is to be sent. run_id follows from the schedule and due_at, or from the request of the person asked_by, '
    'so that nothing is sent twice. A worker takes a waiting run by moving attempt_at ahead by a lease and counting the attempt; only the '
    'newest attempt may finish it. mailed: the event for notify was recorded in the same transaction. reason: why it waits, was skipped or '
    'failed. recipients and left_out are personal data. Finished rows stay for 400 days.';

GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.report_timers, gateway.report_runs TO {{app}};
