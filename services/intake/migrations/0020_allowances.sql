CREATE TABLE intake.used (
    person_id uuid        NOT NULL,
    kind      text        NOT NULL,
    hour      timestamptz NOT NULL,
    amount    bigint      NOT NULL,
    PRIMARY KEY (person_id, kind, hour)
) WITH (fillfactor = 70);
COMMENT ON TABLE intake.used IS
    'What people have taken of their day''s share over the API, by hour: tickets, messages, bytes. Rows of more than a day ago no longer count and are removed.';

CREATE FUNCTION intake.use(who uuid, what text, wanted bigint, most bigint) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    used bigint;
    oldest timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(who::text || what, 0));
    SELECT coalesce(sum(amount), 0), min(hour) INTO used, oldest
      FROM intake.used
     WHERE person_id = who AND kind = what AND hour > now() - interval '1 day';
    IF used + wanted > most THEN
        RETURN greatest(1, ceil(extract(epoch FROM coalesce(oldest, now()) + interval '1 day' - now())));
    END IF;
    IF wanted > 0 THEN
        INSERT INTO intake.used AS u (person_id, kind, hour, amount)
        VALUES (who, what, date_trunc('hour', now()), wanted)
            ON CONFLICT (person_id, kind, hour) DO UPDATE SET amount = u.amount + excluded.amount;
    END IF;
    RETURN 0;
END $$;
COMMENT ON FUNCTION intake.use IS
    'Takes so much of somebody''s share of a day and returns 0; where less than that is left of `most`, takes nothing and returns in how many '
    'seconds the oldest of what they took no longer counts. The lock makes those who take at once wait for each other.';

GRANT SELECT, INSERT, UPDATE, DELETE ON intake.used TO {{app}};
