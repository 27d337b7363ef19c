CREATE TABLE directory.identities (
    customer_id uuid PRIMARY KEY,
    person_id   uuid NOT NULL
);
CREATE INDEX identities_by_person ON directory.identities (person_id);
COMMENT ON TABLE directory.identities IS
    'Customers who were known by an address only and turned out to be a person with a record, for ever: their tickets are that person''s, '
    'whatever becomes of the address (decision 0089).';

CREATE FUNCTION directory.identify(customers uuid[], people uuid[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO directory.identities (customer_id, person_id)
    SELECT n.customer_id, n.person_id FROM unnest(identify.customers, identify.people) AS n(customer_id, person_id) ORDER BY n.customer_id
        ON CONFLICT (customer_id) DO NOTHING;
    IF FOUND THEN
        UPDATE directory.revision SET revision = revision + 1;
        NOTIFY directory_changed;
    END IF;
END $$;
COMMENT ON FUNCTION directory.identify IS 'Writes identities; the first one of a customer stays. Bumps the revision, as directory.save does.';

CREATE INDEX documents_by_domain ON directory.documents USING gin ((document -> 'domains')) WHERE kind = 'company' AND NOT retired;

CREATE FUNCTION directory.company_of(address text) RETURNS text LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce(
        (SELECT p.document ->> 'company'
           FROM directory.documents p
          WHERE p.email = address AND p.kind = 'person' AND NOT p.retired
          ORDER BY p.id
          LIMIT 1),
        (SELECT c.slug
           FROM directory.documents c
          WHERE c.kind = 'company' AND NOT c.retired AND c.document -> 'domains' ? split_part(address, '@', -1)
          ORDER BY c.id
          LIMIT 1));
END $$;
COMMENT ON FUNCTION directory.company_of IS
    'The slug of the company of this address: the one that the record of the person in use with it names, else the one whose mail domain it is in. It tells '
    'whose tickets are counted as the company''s; what somebody may see comes from the record alone.';

GRANT SELECT, INSERT ON directory.identities TO {{app}};
