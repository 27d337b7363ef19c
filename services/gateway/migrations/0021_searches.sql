CREATE TABLE gateway.searches (
    slug        text        PRIMARY KEY,
    owner       uuid        NOT NULL REFERENCES gateway.documents (id),
    name        text        NOT NULL,
    document    json        NOT NULL,
    shared_with uuid[]      NOT NULL DEFAULT '{}',
    version     integer     NOT NULL DEFAULT 1,
    updated_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE gateway.searches IS
    'Searches that people have saved. `document` holds q, filters, sort and columns; `shared_with` the queues whose members '
    'may read one. Only its owner may change it.';
CREATE INDEX searches_of_owner ON gateway.searches (owner, slug);
CREATE INDEX searches_shared ON gateway.searches USING gin (shared_with) WHERE shared_with <> '{}';
GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.searches TO {{app}};
