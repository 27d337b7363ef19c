ALTER TABLE notify.tickets
    ADD COLUMN proven             boolean NOT NULL DEFAULT false,
    ADD COLUMN answers_to         jsonb,
    ADD COLUMN answers_to_version integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN notify.tickets.proven IS
    'Whether its title is its customer''s or an agent''s: anybody else''s words stand in no automatic mail.';
COMMENT ON COLUMN notify.tickets.answers_to IS 'The addresses at which its customer wants mails, if not at their own.';
