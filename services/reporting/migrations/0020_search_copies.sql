CREATE TABLE projections.search_copies (
    copy       uuid        PRIMARY KEY,
    generation integer,
    prepared   integer     NOT NULL,
    seen_at    timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE projections.search_copies IS
    'The processes that serve search, each with an index file of its own: the generation that it shows, and the newest that it has built beside it.';
GRANT SELECT, INSERT, UPDATE, DELETE ON projections.search_copies TO {{app}};
