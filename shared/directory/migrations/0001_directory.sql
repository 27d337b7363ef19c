CREATE SCHEMA directory;
COMMENT ON SCHEMA directory IS 'This service''s copy of the configuration documents, folded from the directory topic.';

CREATE TABLE directory.documents (
    id       uuid    PRIMARY KEY,
    kind     text    NOT NULL,
    slug     text    NOT NULL,
    email    text,
    retired  boolean NOT NULL,
    document jsonb   NOT NULL,
    version  integer NOT NULL,
    event_id uuid    NOT NULL
);
COMMENT ON TABLE directory.documents IS
    'One row per queue, person and company, retired ones included. slug is the login of a person; email is a person''s, in lower '
    'case; version and event_id are those of the newest event that the row shows. Slugs are not unique here: the events of two '
    'documents may arrive in another order than they happened.';
CREATE INDEX documents_by_slug ON directory.documents (kind, slug);
CREATE INDEX documents_by_email ON directory.documents (email) WHERE email IS NOT NULL;

CREATE TABLE directory.revision (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    revision bigint  NOT NULL
);
INSERT INTO directory.revision (revision) VALUES (0);
COMMENT ON TABLE directory.revision IS 'Rises with every change of the documents, so that a process sees cheaply whether its snapshot is old.';

CREATE FUNCTION directory.save(
    ids uuid[], kinds text[], slugs text[], emails text[], retired boolean[], documents text[], versions integer[], event_ids uuid[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO directory.documents (id, kind, slug, email, retired, document, version, event_id)
    SELECT d.id, d.kind, d.slug, d.email, d.retired, d.document::jsonb, d.version, d.event_id
      FROM unnest(save.ids, save.kinds, save.slugs, save.emails, save.retired, save.documents, save.versions, save.event_ids)
        AS d(id, kind, slug, email, retired, document, version, event_id)
     ORDER BY d.id
        ON CONFLICT (id) DO UPDATE
       SET kind = excluded.kind, slug = excluded.slug, email = excluded.email, retired = excluded.retired,
           document = excluded.document, version = excluded.version, event_id = excluded.event_id;
    UPDATE directory.revision SET revision = revision + 1;
    NOTIFY directory_changed;
END $$;
COMMENT ON FUNCTION directory.save IS
    'Writes rows, bumps the revision and wakes the processes that hold a snapshot, all in the caller''s transaction. NOTIFY takes a '
    'global lock at commit, which is why only this rare change uses it.';

GRANT USAGE ON SCHEMA directory TO {{app}};
GRANT SELECT, INSERT, UPDATE, DELETE ON directory.documents TO {{app}};
GRANT SELECT, UPDATE ON directory.revision TO {{app}};
