CREATE TABLE notify.account_mails (
    id          uuid        PRIMARY KEY,
    kind        text        NOT NULL,
    content     jsonb,
    domain      text        NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    due_at      timestamptz,
    attempts    integer     NOT NULL DEFAULT 0,
    last_error  text        NOT NULL DEFAULT '',
    outcome     text CHECK (outcome IN ('sent', 'failed', 'expired')),
    CHECK ((due_at IS NULL) = (outcome IS NOT NULL) AND (content IS NULL) = (outcome IS NOT NULL))
);
CREATE INDEX account_mails_due ON notify.account_mails (due_at) WHERE due_at IS NOT NULL;
COMMENT ON TABLE notify.account_mails IS
    'Mails to people about their sign-in: links to a new password, and what happened to their password. The gateway hands them over, once for '
    'each id. They are no events, because a link gives access: content is the mail until it has left, and then null, as after expires_at. '
    'due_at is when a sender may take the row; taking it moves due_at ahead by a lease. Finished rows stay two days for repeats.';

GRANT SELECT, INSERT, UPDATE, DELETE ON notify.account_mails TO {{app}};
