"""The query parameters of the ticket list, and the filters that they mean."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.reporting.tickets.read_model.ticket_row import ColumnFilters, Texts
from services.reporting.tickets.ticket_list import Filters, Sort
from services.reporting.tickets.ticket_reader import TicketReader
from services.reporting.visibility import followed_queues
from shared.addresses import canonical
from shared.contracts.parts import StateType
from shared.directory.copy import Queues
from shared.http import problems
from shared.http.paging import CursorText, Limit
from shared.rules.access import Identity
from shared.rules.states import STANDARD

NOBODY = UUID(int=0)


class FilterQuery(ColumnFilters):
    """The query parameters that choose tickets."""

    queue: Annotated[Texts, Field(description="In one of these queues, by slug or id.")] = []  # noqa: RUF012
    state: Annotated[Texts, Field(description="In one of these states, by slug.")] = []  # noqa: RUF012
    state_type: Annotated[list[StateType], Field(max_length=10, description="In a state of one of these types.")] = []  # noqa: RUF012
    owner: Annotated[Texts, Field(description="Owned by one of these people: `me`, a login or an id.")] = []  # noqa: RUF012
    responsible: Annotated[Texts, Field(description="One of these people is responsible: `me`, a login or an id.")] = []  # noqa: RUF012
    locked_by: Annotated[Texts, Field(description="Locked by one of these people: `me`, a login or an id.")] = []  # noqa: RUF012
    customer: Annotated[Texts, Field(description="Of one of these customers, by id, login or e-mail address.")] = []  # noqa: RUF012
    available: Annotated[bool | None, Field(description="`true`: not locked by somebody else.")] = None
    mine: Annotated[bool | None, Field(description="`true`: in queues that I follow.")] = None


class ListQuery(FilterQuery):
    """The query parameters of the ticket list."""

    limit: Limit = 50
    cursor: CursorText = None
    count: Annotated[bool, Field(description="Counts all tickets of the list too, exactly up to 10 000.")] = False
    sort: Annotated[Sort, Field(description="`-` is descending. `default` is by priority, then the oldest first.")] = (
        "default"
    )


async def filters(reader: TicketReader, query: FilterQuery, who: Identity) -> Filters:
    """The filters that were asked for, with everything that they name looked up."""
    for name, value in query:
        if isinstance(value, datetime) and not 1900 <= value.year <= 9000:
            raise problems.invalid(f"/query/{name}", "Must be a date between the years 1900 and 9000.")
    queues = reader.directory.queues
    customers, addresses = await customers_named(reader, query.customer)
    types = _types(reader, query.state, query.state_type)
    chosen: set[UUID] | None = {_queue(queues, name) for name in query.queue} if query.queue else None
    if query.mine:
        followed = await followed_queues(reader.directory, who)
        chosen = followed if chosen is None else chosen & followed
    return Filters(
        columns=query,
        queues=tuple(sorted(chosen)) if chosen is not None else None,
        states=tuple(query.state),
        state_types=types,
        owner=await _people(reader, query.owner, who),
        responsible=await _people(reader, query.responsible, who),
        locked_by=await _people(reader, query.locked_by, who),
        not_locked_by_others=who.person_id if query.available else None,
        customers=customers,
        addresses=addresses,
    )


def _types(reader: TicketReader, states: Sequence[str], state_types: Sequence[str]) -> tuple[str, ...]:
    """The types of state that the list can hold: its index is by type."""
    known: dict[str, str] = {slug: each.type for slug, each in STANDARD.items()}
    known |= {slug: each.type for slug, each in reader.directory.configuration.all_states.items()}
    for slug in states:
        if slug not in known:
            raise problems.invalid("/query/state", f"No such state: {slug!r}.")
    if not states:
        return tuple(sorted(set(state_types)))
    types = {known[slug] for slug in states}
    if state_types:
        # No ticket matches if none of the states is of one of the types.
        types = types & set(state_types) or {"none"}
    return tuple(sorted(types))


def _queue(queues: Queues, name: str) -> UUID:
    found = queues.ever_named(name)
    # An unknown queue gives an empty list, as a hidden one does: a list tells nobody which queues exist.
    return found.id if found is not None else NOBODY


async def _people(reader: TicketReader, references: Sequence[str], who: Identity) -> tuple[UUID, ...]:
    """The people that a filter names. An unknown one has no tickets."""
    found: list[UUID] = []
    for reference in references:
        if reference == "me":
            found.append(who.person_id)
        else:
            person = await reader.directory.ever_named(reference)
            found.append(person.id if person is not None else NOBODY)
    return tuple(dict.fromkeys(found))


async def customers_named(reader: TicketReader, references: Sequence[str]) -> tuple[tuple[UUID, ...], tuple[str, ...]]:
    """The customers that a filter names by id, login or address, and the addresses among them that nobody has.

    An address that somebody has now means that person with all their tickets, and nobody who had it before. An address
    that nobody has means everybody who asked from it.
    """
    customers: list[UUID] = []
    addresses: list[str] = []
    for reference in references:
        person = await reader.directory.ever_named(reference)
        if person is not None:
            customers += await reader.directory.known_as(person.id)
        elif (address := canonical(reference)) is not None:
            addresses.append(address)
        else:
            customers += await reader.directory.known_as(_id(reference) or NOBODY)
    return tuple(dict.fromkeys(customers)), tuple(addresses)


def _id(reference: str) -> UUID | None:
    try:
        return UUID(reference)
    except ValueError:
        return None
