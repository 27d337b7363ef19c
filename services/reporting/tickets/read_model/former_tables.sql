CREATE TABLE {schema}.former_tickets (
    {columns of former_tickets},
    until                timestamptz NOT NULL,
    lasted               smallint NOT NULL
);
CREATE INDEX ON {schema}.former_tickets (id, until);
-- Finds the rows that were the newest at a moment: a row that lasted for a minute must have begun in the minute before.
CREATE INDEX ON {schema}.former_tickets (lasted, updated_at, until);
CREATE INDEX ON {schema}.former_tickets (customer_id, until);
CREATE INDEX ON {schema}.former_tickets (merged_into_id) WHERE merged_into_id IS NOT NULL;
COMMENT ON TABLE {schema}.former_tickets IS
    'What lists need of each row of `tickets` that an event has replaced. It was the newest one from `updated_at` to '
    '`until`, which is the `updated_at` of the row after it: for less than 2 to the power of `lasted` microseconds.';

CREATE VIEW {schema}.former_customer_tickets AS
SELECT {former_tickets for customers},
       until, lasted
  FROM {schema}.former_tickets
 WHERE state_type <> 'removed';
COMMENT ON VIEW {schema}.former_customer_tickets IS
    'What customers may know of former rows, as in `customer_tickets`.';

CREATE TABLE {schema}.snapshots (LIKE {schema}.tickets, PRIMARY KEY (id, event_count));
COMMENT ON TABLE {schema}.snapshots IS
    'The whole row of a ticket after each hundredth event, where a fold to a moment starts (decision 0101).';
