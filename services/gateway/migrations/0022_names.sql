CREATE TABLE gateway.names (
    kind text NOT NULL,
    word text COLLATE "C" NOT NULL,
    id   uuid NOT NULL REFERENCES gateway.documents (id),
    PRIMARY KEY (kind, word, id)
);
COMMENT ON TABLE gateway.names IS
    'The words by whose beginnings documents in use are suggested, folded, written with the document. kind is a kind of suggestion.';
CREATE INDEX names_of_document ON gateway.names (id, word);
GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.names TO {{app}};
