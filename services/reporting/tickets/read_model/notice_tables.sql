CREATE TABLE {schema}.notices (
    {columns of notices}
);
-- A person's list is read in this order.
CREATE INDEX ON {schema}.notices (person_id, at, id);
CREATE INDEX ON {schema}.notices (ticket_id, number);
COMMENT ON TABLE {schema}.notices IS
    'Who has which notice. Whether they may read it is asked of the ticket whenever it is read; whether they have seen it '
    'is in `projections.notices_seen`, which no rebuild touches.';
