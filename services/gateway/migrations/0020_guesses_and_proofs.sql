CREATE TABLE gateway.guesses (
    key   bytea            PRIMARY KEY,
    level double precision NOT NULL DEFAULT 0,
    last  timestamptz      NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
COMMENT ON TABLE gateway.guesses IS
    'Guesses at passwords, by keyed digests of a person, an address, or both. level counts them, less what was forgotten until last. '
    'Rows of more than a quarter of an hour ago are removed: they no longer count.';

CREATE TABLE gateway.known_places (
    place bytea       PRIMARY KEY,
    last  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE gateway.known_places IS
    'Keyed digests of a person and an address at which they have signed in within 30 days: guesses of others do not keep them out there.';

ALTER TABLE gateway.sessions ADD COLUMN proved_at timestamptz;
UPDATE gateway.sessions SET proved_at = created_at WHERE kind = 'session';
ALTER TABLE gateway.sessions ADD COLUMN client text NOT NULL DEFAULT '';
COMMENT ON COLUMN gateway.sessions.proved_at IS 'When the session''s person last gave their password; null for tokens.';
COMMENT ON COLUMN gateway.sessions.client IS 'How the program called itself that signed in (User-Agent), for the person''s own list.';

GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.guesses, gateway.known_places TO {{app}};
