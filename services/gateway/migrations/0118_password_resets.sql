ALTER TABLE gateway.credentials ADD COLUMN must_change boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN gateway.credentials.must_change IS
    'Somebody else has set the password: until its person has changed it, a sign-in may do nothing else.';

-- Live streams end at once with the right to read: see gateway_sign_ins in 0108.
CREATE FUNCTION gateway.notify_credential() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('gateway_sign_ins', NEW.person_id::text);
    RETURN NULL;
END
$$;
CREATE TRIGGER credential_restricted
 AFTER UPDATE OF must_change ON gateway.credentials
   FOR EACH ROW WHEN (NEW.must_change AND NOT OLD.must_change)
       EXECUTE FUNCTION gateway.notify_credential();

CREATE TABLE gateway.reset_requests (
    id       uuid        PRIMARY KEY,
    login    text        NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX reset_requests_oldest ON gateway.reset_requests (asked_at);
COMMENT ON TABLE gateway.reset_requests IS
    'Requests for a new password that no worker has looked at. login is what somebody typed, known here or not; the row lives for seconds.';

CREATE TABLE gateway.password_resets (
    id          uuid        PRIMARY KEY,
    token_hash  bytea       NOT NULL UNIQUE,
    person_id   uuid        NOT NULL REFERENCES gateway.documents (id),
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    command_id  uuid,
    fingerprint bytea
);
CREATE INDEX password_resets_of_person ON gateway.password_resets (person_id, created_at);
COMMENT ON TABLE gateway.password_resets IS
    'Links to a new password that were mailed, by the SHA-256 of their token; the token itself follows from id and a secret key. One holds '
    'until expires_at or ended_at: it was used, a newer one was made, the password or the address has changed, or the person was retired. '
    'command_id and the keyed fingerprint are those of the request that used it, so that its repeat gets the same answer.';

CREATE TABLE gateway.account_mails (
    id         uuid        PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('reset_link', 'password_reset', 'password_changed', 'password_set')),
    person_id  uuid        NOT NULL REFERENCES gateway.documents (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    due_at     timestamptz NOT NULL DEFAULT now(),
    attempts   integer     NOT NULL DEFAULT 0
);
CREATE INDEX account_mails_due ON gateway.account_mails (due_at);
COMMENT ON TABLE gateway.account_mails IS
    'Mails to people about their sign-in that notify has not taken yet, written in the transaction of their reason. No text and no token. A '
    'row goes when notify has the mail or at expires_at; the id of a reset_link is that of its row in password_resets.';

-- No link goes to an address of the desk itself: the mail would become a ticket.
CREATE INDEX documents_address ON gateway.documents (address) WHERE address IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON gateway.reset_requests, gateway.password_resets, gateway.account_mails TO {{app}};
