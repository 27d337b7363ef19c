ALTER TABLE intake.customers ADD COLUMN is_person boolean NOT NULL DEFAULT false;
COMMENT ON TABLE intake.customers IS
    'Who has which address (canonical, decision 0088) now: people with a record in use, by the ids of their documents, and everybody else who ever '
    'wrote. The empty address stands for senders that no mail reaches. The unique index decides when two first contacts happen at once.';

CREATE TABLE intake.claims (
    customer_id uuid PRIMARY KEY,
    person_id   uuid NOT NULL,
    announced   boolean NOT NULL DEFAULT false
);
CREATE INDEX claims_to_announce ON intake.claims (customer_id) WHERE NOT announced;
COMMENT ON TABLE intake.claims IS
    'Customers who were known by an address only, and the person who got a record with that address: for ever, whatever becomes of the address '
    '(decision 0089). announced: the other services are told by CustomerIdentified.';

CREATE TABLE intake.named (
    customer_id uuid PRIMARY KEY,
    email       text NOT NULL
);
CREATE INDEX named_by_email ON intake.named (email);
COMMENT ON TABLE intake.named IS
    'Customers whom the desk made up for an address that has another customer here; the address''s next person gets their tickets too.';

ALTER TABLE intake.tickets ADD COLUMN desk_customer uuid;
CREATE INDEX tickets_without_desk_customer ON intake.tickets (email) WHERE email IS NOT NULL AND desk_customer IS NULL;
COMMENT ON COLUMN intake.tickets.desk_customer IS
    'Whose ticket the desk has made it, with email and company; null where it has not. The worker fills in those of before ids were kept here.';

ALTER TABLE intake.participants ADD COLUMN person_id uuid;
CREATE INDEX participants_unknown ON intake.participants (email) WHERE person_id IS NULL;
COMMENT ON COLUMN intake.participants.person_id IS
    'The person with a record who had the address; null: nobody had one yet. Somebody who gets the address later takes part in nothing by it.';

CREATE FUNCTION intake.person_with(address text) RETURNS uuid LANGUAGE sql STABLE
    RETURN (SELECT p.id FROM directory.documents p WHERE p.email = address AND p.kind = 'person' AND NOT p.retired ORDER BY p.id LIMIT 1);
COMMENT ON FUNCTION intake.person_with IS 'The person in use with this address.';

CREATE FUNCTION intake.identify(person uuid, address text, called text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        WITH nobodys AS (
            DELETE FROM intake.customers c WHERE c.email = address AND NOT c.is_person AND c.customer_id <> person RETURNING c.customer_id
        )
        INSERT INTO intake.named (customer_id, email) SELECT customer_id, address FROM nobodys;
        -- Who had the address before has given it up: the documents of two people may arrive in another order than they were saved.
        DELETE FROM intake.customers c WHERE c.email = address AND c.customer_id <> person;
        BEGIN
            INSERT INTO intake.customers AS c (customer_id, email, name, is_person) VALUES (person, address, called, true)
                ON CONFLICT (customer_id) DO UPDATE SET email = excluded.email, name = excluded.name, is_person = true
             WHERE (c.email, c.name, c.is_person) IS DISTINCT FROM (excluded.email, excluded.name, true);
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            NULL;  -- somebody's first mail came in between: it is theirs as well
        END;
    END LOOP;
    WITH known AS (
        DELETE FROM intake.named n WHERE n.email = address RETURNING n.customer_id
    ), claimed AS (
        INSERT INTO intake.claims (customer_id, person_id) SELECT k.customer_id, person FROM known k
            ON CONFLICT DO NOTHING
        RETURNING customer_id
    )
    INSERT INTO directory.identities (customer_id, person_id) SELECT c.customer_id, person FROM claimed c
        ON CONFLICT DO NOTHING;
    UPDATE intake.participants SET person_id = person WHERE email = address AND person_id IS NULL;
END $$;
COMMENT ON FUNCTION intake.identify IS
    'A person has this address now: those who were known by it alone turn out to be that person, and mails from it are theirs.';

CREATE FUNCTION intake.person_saved() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    other directory.documents;
BEGIN
    IF NEW.retired THEN
        DELETE FROM intake.customers WHERE customer_id = NEW.id;
    ELSE
        PERFORM intake.identify(NEW.id, NEW.email, NEW.document ->> 'name');
    END IF;
    IF TG_OP = 'UPDATE' AND (NEW.retired OR OLD.email <> NEW.email) THEN
        SELECT * INTO other FROM directory.documents d WHERE d.id = intake.person_with(OLD.email) AND d.id <> NEW.id;
        IF FOUND THEN  -- somebody whose record, with the address that was given up now, came here before this one
            PERFORM intake.identify(other.id, other.email, other.document ->> 'name');
        END IF;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER person_saved AFTER INSERT OR UPDATE ON directory.documents
    FOR EACH ROW WHEN (NEW.kind = 'person') EXECUTE FUNCTION intake.person_saved();
COMMENT ON FUNCTION intake.person_saved IS
    'In the transaction of the document itself, so that no mail is ever read against people and customers that contradict each other.';

CREATE FUNCTION intake.desk_named(customer uuid, address text, called text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    holder directory.documents;
BEGIN
    IF address = '' OR EXISTS (SELECT FROM intake.customers c WHERE c.customer_id = customer)
       OR EXISTS (SELECT FROM intake.claims k WHERE k.customer_id = customer)
       OR EXISTS (SELECT FROM directory.documents d WHERE d.id = customer) THEN
        RETURN;
    END IF;
    INSERT INTO intake.customers (customer_id, email, name) VALUES (customer, address, called) ON CONFLICT (email) DO NOTHING;
    IF NOT FOUND THEN
        INSERT INTO intake.named (customer_id, email) VALUES (customer, address) ON CONFLICT DO NOTHING;
        SELECT * INTO holder FROM directory.documents d WHERE d.id = intake.person_with(address);
        IF FOUND THEN
            PERFORM intake.identify(holder.id, holder.email, holder.document ->> 'name');
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION intake.desk_named IS
    'The desk made a ticket this customer''s, whom it knew by the address alone: mails from there are theirs, unless somebody else''s are already.';

CREATE OR REPLACE FUNCTION intake.company_of(address text) RETURNS text LANGUAGE sql STABLE
    RETURN directory.company_of(address);

CREATE OR REPLACE FUNCTION intake.takes_part(ticket uuid, address text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    who    uuid;
    owner  uuid;
    theirs text;
BEGIN
    IF ticket IS NULL OR address = '' THEN
        RETURN NULL;
    END IF;
    who := intake.person_with(address);
    SELECT coalesce(k.person_id, o.customer_id), coalesce(c.email, n.email, CASE WHEN o.customer_id IS NULL THEN t.email END)
      INTO owner, theirs
      FROM intake.tickets t
     CROSS JOIN LATERAL (SELECT coalesce(t.desk_customer, CASE WHEN t.email IS NULL THEN t.customer_id END) AS customer_id) AS o
      LEFT JOIN intake.claims k ON k.customer_id = o.customer_id
      LEFT JOIN intake.customers c ON c.customer_id = coalesce(k.person_id, o.customer_id)
      LEFT JOIN intake.named n ON n.customer_id = o.customer_id
     WHERE t.ticket_id = ticket;
    IF owner = who OR theirs = address THEN
        RETURN 'participant';
    END IF;
    IF (SELECT p.document ->> 'company' FROM directory.documents p WHERE p.id = who)
     = (SELECT p.document ->> 'company' FROM directory.documents p WHERE p.id = coalesce(owner, intake.person_with(theirs)) AND NOT p.retired) THEN
        RETURN 'participant';
    END IF;
    RETURN (SELECT CASE WHEN p.outsider THEN 'outsider' ELSE 'participant' END
              FROM intake.participants p
             WHERE p.ticket_id = ticket
               AND CASE WHEN who IS NULL THEN p.email = address AND p.person_id IS NULL ELSE p.person_id = who END
             ORDER BY p.outsider
             LIMIT 1);
END $$;
COMMENT ON FUNCTION intake.takes_part IS
    'What the owner of this address is to a ticket; null: nobody that it knows. It looks at people, not at the addresses that they had: who '
    'belongs to the customer''s company is told by records alone, because anybody can write from its domain.';

GRANT UPDATE, DELETE ON intake.customers TO {{app}};
GRANT SELECT, INSERT, UPDATE ON intake.claims TO {{app}};
GRANT SELECT, INSERT, DELETE ON intake.named TO {{app}};
GRANT UPDATE (desk_customer) ON intake.tickets TO {{app}};

-- Those who have a record already; the worker tells the other services whose tickets are whose.
SELECT intake.identify(p.id, p.email, p.document ->> 'name')
  FROM directory.documents p
 WHERE p.kind = 'person' AND NOT p.retired AND p.email IS NOT NULL
 ORDER BY p.id DESC;
