"""How a command names a customer: as a person with a record, or by an address (decision 0089)."""

from collections.abc import Sequence

from shared.addresses import canonical, comparable
from shared.contracts.envelope import Recorded
from shared.contracts.parts import CustomerRef
from shared.contracts.routing import TicketQueued
from shared.database import Connection, Pool
from shared.directory.copy import DirectoryCopy
from shared.rules.customer_ids import by_address

REMEMBER = """
INSERT INTO routing.customers AS c (email, customer_id, name)
SELECT DISTINCT ON (n.email) n.email, n.customer_id, n.name
  FROM unnest($1::text[], $2::uuid[], $3::text[]) WITH ORDINALITY AS n(email, customer_id, name, place)
 ORDER BY n.email, n.place DESC
    ON CONFLICT (email) DO UPDATE
   SET customer_id = excluded.customer_id, name = coalesce(nullif(excluded.name, ''), c.name)
 WHERE (c.customer_id, c.name) IS DISTINCT FROM (excluded.customer_id, coalesce(nullif(excluded.name, ''), c.name))
"""
FIND = """
SELECT c.customer_id, c.name
  FROM routing.customers c
 WHERE c.email = $1
   AND NOT EXISTS (SELECT FROM directory.identities i WHERE i.customer_id = c.customer_id)
   AND NOT EXISTS (SELECT FROM directory.documents d WHERE d.id = c.customer_id)
"""


async def remember(connection: Connection, events: Sequence[Recorded]) -> None:
    """Writes the customers of newly queued tickets, in the transaction of their events."""
    asked = [event.payload.customer for event in events if isinstance(event.payload, TicketQueued)]
    known = [customer for customer in asked if customer.email]
    if known:
        await connection.execute(
            REMEMBER,
            [comparable(each.email) for each in known],
            [each.id for each in known],
            [each.name for each in known],
        )


async def named(reference: str, directory: DirectoryCopy, pool: Pool) -> CustomerRef | None:
    """The customer with this id, login or address; None if there is none and this is not a valid address.

    A person who has given up an address is no longer named by it.
    """
    person = await directory.person_named(reference.strip())
    if person is not None:
        email = comparable(person.email)
        company = person.company or await directory.company_of(email)
        return CustomerRef(id=person.id, email=email, name=person.name, company=company)
    address = canonical(reference)
    if address is None:
        return None
    found = await pool.fetchrow(FIND, address)
    company = await directory.company_of(address)
    if found is not None:
        return CustomerRef(id=found["customer_id"], email=address, name=found["name"], company=company)
    customer = by_address(address)
    while await directory.person_of(customer) is not None:
        customer = by_address(address, customer)
    return CustomerRef(id=customer, email=address, company=company)
