"""Customers by their addresses."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from shared.contracts.intake import CustomerRegistered
from shared.contracts.parts import CustomerRef
from shared.database import Pool
from shared.eventstore.errors import CommandReused
from shared.eventstore.runner import Outcome, replayed
from shared.eventstore.store import Append, CommandId, Context, NewEvent

FIND = """
SELECT e.fingerprint, e.answer, c.customer_id, c.name, coalesce(c.is_person, false) AS is_person, intake.company_of($2) AS company
  FROM (SELECT) AS always
  LEFT JOIN es.commands e ON e.command_id = $1
  LEFT JOIN intake.customers c ON c.email = $2
"""


@dataclass(frozen=True, slots=True)
class FoundCustomer:
    """The customer of a request. `fingerprint` and `response` are those of an earlier request with the same command id,
    if any."""

    customer: CustomerRef
    is_new: bool
    fingerprint: bytes | None = None
    response: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Customers:
    pool: Pool

    async def find(self, email: str, name: str, command: CommandId, person: UUID | None = None) -> FoundCustomer:
        """The customer who has this address, or is the `person` who sends the request. An unknown address gets a new
        customer's id."""
        row = await self.pool.fetchrow(FIND, command.id, email)
        assert row is not None
        customer, is_new = customer_in(row, email, name)
        if person is not None:
            customer, is_new = customer.model_copy(update={"id": person, "name": name}), False
        return FoundCustomer(customer, is_new, row["fingerprint"], row["answer"])


def customer_in(row: asyncpg.Record, email: str, name: str) -> tuple[CustomerRef, bool]:
    """The customer in a row of a query, named as in their record if they have one; and whether they are new."""
    is_new = row["customer_id"] is None
    known_name = row["name"] if row["is_person"] else name or row["name"] or ""
    customer = CustomerRef(id=row["customer_id"] or uuid7(), email=email, name=known_name, company=row["company"])
    return customer, is_new


def registration(customer: CustomerRef, ticket_id: UUID, context: Context) -> Append:
    """The first event of a new customer."""
    event = NewEvent(CustomerRegistered(customer=customer, first_ticket=ticket_id))
    return Append(customer.id, "customer", 0, (event,), context)


def first_response(found: FoundCustomer, key: CommandId) -> Outcome:
    """The response to an earlier request with the same command id. Raises CommandReused if that was another request."""
    if found.fingerprint != key.fingerprint:
        raise CommandReused
    return replayed(found.response)
