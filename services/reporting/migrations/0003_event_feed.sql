CREATE TABLE projections.feed (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    incarnation uuid    NOT NULL DEFAULT gen_random_uuid(),
    late        bigint  NOT NULL DEFAULT 0
);
INSERT INTO projections.feed DEFAULT VALUES;
COMMENT ON TABLE projections.feed IS
    'One row. `incarnation` changes when the topic was lost and filled again: places of readers that hold offsets of another one are '
    'unknown. `late` is the highest number in `late`; whoever raises it locks this row first, so that numbers commit in order.';

CREATE TABLE projections.late (
    number       bigint      PRIMARY KEY,
    ticket_id    uuid        NOT NULL,
    partition    smallint    NOT NULL,
    first_offset bigint      NOT NULL,
    last_offset  bigint      NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON projections.late (ticket_id);
COMMENT ON TABLE projections.late IS
    'Events of a ticket that came into the read model behind places which readers had passed already: a replay of a parked ticket, or a '
    'promotion of a generation that has what the former one had parked.';

CREATE TABLE projections.late_awaited (
    ticket_id    uuid     NOT NULL,
    partition    smallint NOT NULL,
    first_offset bigint   NOT NULL,
    last_offset  bigint   NOT NULL
);
COMMENT ON TABLE projections.late_awaited IS
    'Events that a former generation had parked and the promoted one had not reached yet. They are late as soon as it applies them.';

CREATE FUNCTION projections.topic_republished() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    generation integer;
BEGIN
    UPDATE projections.feed SET incarnation = gen_random_uuid(), late = 0;
    DELETE FROM projections.late;
    DELETE FROM projections.late_awaited;
    FOR generation IN
        SELECT g.generation
          FROM projections.generations g
          JOIN information_schema.columns c ON c.table_schema = 'desk_v' || g.generation AND c.table_name = 'history'
         WHERE g.name = 'desk' AND c.column_name = 'position'
    LOOP
        EXECUTE format('UPDATE desk_v%s.history SET position = -1 WHERE position >= 0', generation);
    END LOOP;
END
$$;
COMMENT ON FUNCTION projections.topic_republished() IS
    'The topic was lost and filled again. Events of the histories have no offset until consumers meet them in the new topic. Earlier places '
    'of readers are unknown.';

GRANT SELECT, UPDATE ON projections.feed TO {{app}};
GRANT SELECT, INSERT, DELETE ON projections.late, projections.late_awaited TO {{app}};
