CREATE TABLE routing.customers (
    email       text PRIMARY KEY,
    customer_id uuid NOT NULL,
    name        text NOT NULL
);
COMMENT ON TABLE routing.customers IS
    'Who asked last from an address (canonical), and by which name, so that the desk names them by the same id. A person with a record is looked for '
    'in the directory first; one who was known by the address alone and turned out to be a person since is in directory.identities.';

INSERT INTO routing.customers (email, customer_id, name)
SELECT DISTINCT ON (data #>> '{customer,email}')
       data #>> '{customer,email}', (data #>> '{customer,id}')::uuid, coalesce(data #>> '{customer,name}', '')
  FROM es.events
 WHERE type = 'helpdesk.TicketQueued.v1' AND coalesce(data #>> '{customer,email}', '') <> ''
 ORDER BY data #>> '{customer,email}', coalesce(data #>> '{customer,name}', '') = '', recorded_at DESC;

GRANT SELECT, INSERT, UPDATE ON routing.customers TO {{app}};
