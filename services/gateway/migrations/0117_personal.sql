CREATE TABLE gateway.preferences (
    person_id uuid        PRIMARY KEY REFERENCES gateway.documents (id),
    document  jsonb       NOT NULL,
    saved_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE gateway.preferences IS
    'What people have chosen for their screens, by name; what is missing has its default. The language and the time zone are in the '
    'person''s document, because other services need them.';

CREATE TABLE gateway.notes (
    person_id uuid        PRIMARY KEY REFERENCES gateway.documents (id),
    text      text        NOT NULL,
    version   integer     NOT NULL DEFAULT 1,
    saved_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE gateway.notes IS 'The notes that people keep for themselves. Nobody else reads them.';

CREATE TABLE gateway.drafts (
    person_id     uuid        NOT NULL REFERENCES gateway.documents (id),
    key           text COLLATE "C" NOT NULL,
    ticket        uuid,
    command       text        NOT NULL,
    body          json        NOT NULL,
    attachments   uuid[]      NOT NULL DEFAULT '{}',
    size          integer     NOT NULL,
    version       integer     NOT NULL DEFAULT 1,
    saved_at      timestamptz NOT NULL DEFAULT now(),
    files_kept_at timestamptz,
    sent_by       uuid,
    PRIMARY KEY (person_id, key)
);
CREATE INDEX drafts_by_age ON gateway.drafts (saved_at);
COMMENT ON TABLE gateway.drafts IS
    'What people have begun to write. Nobody else reads it; 30 days after the last change it is removed. body is that of the command as '
    'far as it is written; size are its bytes. files_kept_at: when intake last said that it keeps the attachments. sent_by: the request '
    'that last tried to send this version.';

GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.preferences, gateway.notes, gateway.drafts TO {{app}};
