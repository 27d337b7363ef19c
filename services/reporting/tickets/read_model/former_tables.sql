CREATE TABLE {schema}.former_tickets (
    {columns of former_tickets},
    until                timestamptz NOT NULL
);
CREATE INDEX ON {schema}.former_tickets (id, until);
-- The rows that were the newest at a moment: few tickets that existed then have changed since.
CREATE INDEX ON {schema}.former_tickets (until, updated_at);
CREATE INDEX ON {schema}.former_tickets (customer_id, until);
CREATE INDEX ON {schema}.former_tickets (merged_into_id) WHERE merged_into_id IS NOT NULL;
COMMENT ON TABLE {schema}.former_tickets IS
    'What lists need of each row of `tickets` that an event has replaced. It was the newest one from `updated_at` to '
    '`until`, which is the `updated_at` of the row after it (decision 0101).';

CREATE VIEW {schema}.former_customer_tickets AS
SELECT {former_tickets for customers},
       until
  FROM {schema}.former_tickets
 WHERE state_type <> 'removed';
COMMENT ON VIEW {schema}.former_customer_tickets IS
    'What customers may know of former rows, as in `customer_tickets`.';

CREATE TABLE {schema}.snapshots (LIKE {schema}.tickets, PRIMARY KEY (id, event_count));
COMMENT ON TABLE {schema}.snapshots IS
    'The whole row of a ticket after each hundredth event, where a fold to a moment starts (decision 0101).';
