CREATE TABLE intake.mailboxes (
    mailbox_id    uuid        PRIMARY KEY,
    place         text        NOT NULL DEFAULT '',
    uid_validity  bigint      NOT NULL DEFAULT 0,
    seen_until    bigint      NOT NULL DEFAULT -1,
    last_success  timestamptz,
    failing_since timestamptz,
    last_error    text,
    error_at      timestamptz,
    taken         bigint      NOT NULL DEFAULT 0,
    left_there    jsonb       NOT NULL DEFAULT '[]',
    refresh_token bytea
);
COMMENT ON TABLE intake.mailboxes IS
    'How fetching from each mailbox (a document of the directory) goes. failing_since is null while all is well; last_error stays.';
COMMENT ON COLUMN intake.mailboxes.place IS 'The server, user and folder that the next two belong to.';
COMMENT ON COLUMN intake.mailboxes.seen_until IS
    'While the folder has this uid_validity: every mail up to this UID is here or still marked as unseen there; -1: not known. What is '
    'newer is fetched even if somebody has read it before us.';
COMMENT ON COLUMN intake.mailboxes.left_there IS 'The mails that stay on their server because they cannot be taken: uid, size, reason.';
COMMENT ON COLUMN intake.mailboxes.refresh_token IS
    'The newest refresh token of OAuth 2, where the token endpoint gives a new one each time; encrypted with a key from the configured one.';

GRANT SELECT, INSERT, UPDATE ON intake.mailboxes TO {{app}};
