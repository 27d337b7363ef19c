CREATE SCHEMA es;
COMMENT ON SCHEMA es IS 'The event store: streams, their events, and the outbox that the relay empties into Kafka.';

CREATE TABLE es.streams (
    stream_id uuid    PRIMARY KEY,
    category  text    NOT NULL,
    version   integer NOT NULL CHECK (version > 0)
) WITH (fillfactor = 70);
COMMENT ON TABLE es.streams IS 'The newest version of each stream; its row is what an append moves, and so what serialises appends.';

CREATE TABLE es.events (
    stream_id      uuid        NOT NULL,
    version        integer     NOT NULL CHECK (version > 0),
    occurred_at    timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT now(),
    event_id       uuid        NOT NULL UNIQUE,
    correlation_id uuid        NOT NULL,
    causation_id   uuid,
    type           text        NOT NULL,
    actor_kind     text        NOT NULL,
    actor_id       text,
    traceparent    text,
    data           json        NOT NULL,
    PRIMARY KEY (stream_id, version)
);
COMMENT ON TABLE es.events IS 'Facts. Rows are only ever added: the application role can neither change nor delete one.';

CREATE TABLE es.outbox (
    position  bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard     smallint NOT NULL,
    stream_id uuid     NOT NULL,
    version   integer  NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
COMMENT ON TABLE es.outbox IS
    'Pointers to events that Kafka has not confirmed yet: a queue, emptied by the relay, never a cursor. '
    'One stream''s rows have rising positions, because the position is drawn while the stream''s row is locked.';

CREATE TABLE es.commands (
    command_id  uuid        PRIMARY KEY,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    fingerprint bytea       NOT NULL,
    answer      json
);
CREATE INDEX commands_by_age ON es.commands USING brin (recorded_at);
COMMENT ON TABLE es.commands IS 'Commands that carried an idempotency key, with their first answer; kept 30 days (api.md, section 1).';

CREATE FUNCTION es.shards() RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN 4::smallint;
COMMENT ON FUNCTION es.shards() IS 'How many shards the outbox has. The relay checks it at its start, so that none is stranded.';

CREATE FUNCTION es.shard(stream uuid) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN abs(uuid_hash(stream)::bigint % es.shards())::smallint;

CREATE FUNCTION es.append(
    command        uuid,
    fingerprint    bytea,
    answer         json,
    stream_ids     uuid[],
    categories     text[],
    expected       integer[],
    event_streams  uuid[],
    event_versions integer[],
    event_ids      uuid[],
    types          text[],
    occurred       timestamptz[],
    correlations   uuid[],
    causations     uuid[],
    actor_kinds    text[],
    actor_ids      text[],
    traceparents   text[],
    data           text[]
) RETURNS TABLE (status text, first_answer json, recorded timestamptz)
LANGUAGE plpgsql AS $$
DECLARE
    known es.commands;
    item  record;
BEGIN
    IF command IS NOT NULL THEN
        -- Two requests with one key at the same time: the second is told so, instead of deciding again on a newer state.
        IF NOT pg_try_advisory_xact_lock(hashtextextended(command::text, 0)) THEN
            RETURN QUERY SELECT 'running', NULL::json, NULL::timestamptz;
            RETURN;
        END IF;
        SELECT * INTO known FROM es.commands c WHERE c.command_id = command;
        IF FOUND THEN
            RETURN QUERY SELECT CASE WHEN known.fingerprint = append.fingerprint THEN 'duplicate' ELSE 'reused' END,
                                known.answer, known.recorded_at;
            RETURN;
        END IF;
    END IF;

    -- In id order, so that two transactions over the same streams wait for each other instead of deadlocking.
    FOR item IN
        SELECT s.id, s.category, s.version, (SELECT count(*) FROM unnest(event_streams) e(id) WHERE e.id = s.id)::integer AS added
          FROM unnest(stream_ids, categories, expected) AS s(id, category, version)
         ORDER BY s.id
    LOOP
        IF item.version = 0 THEN
            INSERT INTO es.streams (stream_id, category, version)
            VALUES (item.id, item.category, item.added)
            ON CONFLICT DO NOTHING;
        ELSE
            UPDATE es.streams s
               SET version = item.version + item.added
             WHERE s.stream_id = item.id AND s.version = item.version;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'stream % is not at version %', item.id, item.version USING ERRCODE = 'LD409';
        END IF;
    END LOOP;

    INSERT INTO es.events (stream_id, version, occurred_at, event_id, correlation_id, causation_id, type, actor_kind, actor_id,
                           traceparent, data)
    SELECT e.stream, e.version, e.occurred, e.id, e.correlation, e.causation, e.type, e.kind, e.actor, e.trace, e.data::json
      FROM unnest(event_streams, event_versions, occurred, event_ids, correlations, causations, types, actor_kinds, actor_ids,
                  traceparents, data) AS e(stream, version, occurred, id, correlation, causation, type, kind, actor, trace, data);

    INSERT INTO es.outbox (shard, stream_id, version)
    SELECT es.shard(e.stream), e.stream, e.version
      FROM unnest(event_streams, event_versions) WITH ORDINALITY AS e(stream, version, n)
     ORDER BY e.n;

    IF command IS NOT NULL THEN
        INSERT INTO es.commands (command_id, fingerprint, answer) VALUES (command, append.fingerprint, append.answer);
    END IF;
    RETURN QUERY SELECT 'appended', NULL::json, now();
END $$;
COMMENT ON FUNCTION es.append IS
    'Appends events to one or several streams and remembers the command, all or nothing, in one round trip. '
    'Status: appended; duplicate (the command is known: its first answer); reused (known with another fingerprint); '
    'running (the same command is in another transaction right now). Raises LD409 when a stream is not at the expected '
    'version (0: must be new), which also rolls back whatever the caller did in the same transaction. '
    'It locks the rows of es.streams, in id order, because that row decides who appends next.';

GRANT USAGE ON SCHEMA es TO {{app}};
GRANT SELECT, INSERT, UPDATE ON es.streams TO {{app}};
GRANT SELECT, INSERT ON es.events TO {{app}};
GRANT SELECT, INSERT, DELETE ON es.outbox, es.commands TO {{app}};
