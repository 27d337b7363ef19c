CREATE TABLE projections.notices_seen (
    person_id uuid        NOT NULL,
    notice    uuid        NOT NULL,
    seen_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person_id, notice)
);
COMMENT ON TABLE projections.notices_seen IS
    'Which of their notices people have marked as seen. It is no part of a generation: a rebuild gives the same notices the same ids. Rows '
    'go when their notices are too old to be listed.';
GRANT SELECT, INSERT, DELETE ON projections.notices_seen TO {{app}};
