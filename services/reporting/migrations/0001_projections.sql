CREATE SCHEMA projections;
CREATE TABLE projections.generations (
    name       text        NOT NULL,
    generation integer     NOT NULL,
    state      text        NOT NULL CHECK (state IN ('building', 'live', 'former')),
    made_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, generation)
);
CREATE UNIQUE INDEX one_live_generation ON projections.generations (name) WHERE state = 'live';
COMMENT ON TABLE projections.generations IS
    'Every build of a projection set. Generation n of set s has its tables in the schema s_vn; the schema s holds views of the live one.';

GRANT USAGE ON SCHEMA projections TO {{app}};
GRANT SELECT ON projections.generations TO {{app}};
