"""Lists and exports hold, and lists count, exactly what `may` allows: the rule in Python and those in SQL are compared."""

import asyncio
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.reporting.exports.columns import chosen
from services.reporting.exports.statement import Chosen, Names
from services.reporting.exports.statement import statement as export_statement
from services.reporting.tickets.read_model.ticket_row import ColumnFilters
from services.reporting.tickets.ticket_list import Filters, count_statement, statement
from services.reporting.visibility import scope, ticket_facts
from shared.contracts.directory import Member, Queue, Right
from shared.database import OwnConnection, connect
from shared.directory.copy import Configuration, Queues
from shared.rules.access import Access, Identity, may
from tests.services.reporting.reporting_database import Reporting, add_tickets
from tests.specs.requirement import requirement

PEOPLE = tuple(UUID(int=n) for n in (1, 2))
QUEUES = tuple(UUID(int=n) for n in (10, 11, 12))
UNKNOWN = tuple(UUID(int=n) for n in (20, 21, 22))
"""Customers known only by an address; some of them turn out to be people with a record."""
ADDRESSES = ("per@acme.example", "pia@acme.example", "")
COMPANIES = (None, "acme", "other")
RIGHTS: tuple[Right, ...] = ("read", "create", "move_into", "note", "work")

members = st.lists(
    st.builds(Member, person=st.sampled_from(PEOPLE), rights=st.lists(st.sampled_from(RIGHTS), unique=True).map(tuple)),
    max_size=3,
).map(tuple)
people = st.builds(
    Identity,
    person_id=st.sampled_from(PEOPLE),
    kind=st.just("agent"),
    login=st.just("x"),
    name=st.just("X"),
    email=st.just("x@acme.example"),
    known_as=st.sampled_from(((), UNKNOWN[:1], UNKNOWN[:2])),
    roles=st.sampled_from(((), ("agent",), ("customer",), ("admin",), ("agent", "customer"))),
    company=st.sampled_from(COMPANIES),
)
tickets = st.lists(
    st.fixed_dictionaries(
        {
            "queue_id": st.sampled_from((*QUEUES, UUID(int=99))),  # the last one is in no directory
            "customer_id": st.sampled_from((*PEOPLE, *UNKNOWN)),
            "customer_email": st.sampled_from(ADDRESSES),
            "company": st.sampled_from(COMPANIES),
            "state_type": st.sampled_from(("new", "open", "merged", "removed")),
        }
    ),
    min_size=1,
    max_size=8,
)
wishes = st.builds(
    Filters,
    queues=st.none() | st.lists(st.sampled_from(QUEUES), min_size=1, unique=True).map(tuple),
    state_types=st.sampled_from(((), ("new",), ("open", "merged"))),
    customers=st.sampled_from(((), (PEOPLE[0],), (PEOPLE[0], UNKNOWN[0]))),
    addresses=st.sampled_from(((), ADDRESSES[:1], ADDRESSES[:2])),
    columns=st.builds(
        ColumnFilters,
        id=st.sampled_from(([], [UUID(int=1000), UUID(int=1001), UUID(int=9)])),
        company=st.sampled_from(([], ["acme"])),
    ),
)


def wanted(n: int, ticket: dict[str, Any], wish: Filters) -> bool:
    return (
        ticket["state_type"] != "removed"
        and (not wish.columns.id or UUID(int=1000 + n) in wish.columns.id)
        and (wish.queues is None or ticket["queue_id"] in wish.queues)
        and (not wish.state_types or ticket["state_type"] in wish.state_types)
        and (
            not (wish.customers or wish.addresses)
            or ticket["customer_id"] in wish.customers
            or ticket["customer_email"] in wish.addresses
        )
        and (not wish.columns.company or ticket["company"] in wish.columns.company)
    )


@requirement("A3.04")
async def test_a_list_holds_exactly_what_may_allows(live_desk: Reporting) -> None:
    connection: OwnConnection = await connect(live_desk.owner_url)

    async def listed(made: list[dict[str, Any]], who: Identity, queues: Queues, wish: Filters) -> set[str]:
        transaction = connection.transaction()
        await transaction.start()
        try:
            await add_tickets(connection, made)
            text, arguments = statement(scope(who, queues), wish, "default", None, 100)
            rows = await connection.fetch(text, *arguments)
            text, arguments = count_statement(scope(who, queues), wish)
            assert await connection.fetchval(text, *arguments) == len(rows)
            export = Chosen(scope(who, queues), wish, "default")
            text, arguments = export_statement(export, chosen("number"), Names(queues, Configuration()), "csv")
            exported = await connection.fetch(text, *arguments)
        finally:
            await transaction.rollback()
        numbers = [row["number"] for row in rows]
        assert [row[0] for row in exported] == numbers, "an export has what the list has, in its order"
        assert len(numbers) == len(set(numbers))
        return set(numbers)

    loop = asyncio.get_running_loop()

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(made=tickets, rights=st.tuples(members, members, members), who=people, wish=wishes)
    def agree(made: list[dict[str, Any]], rights: tuple[Any, ...], who: Identity, wish: Filters) -> None:
        documents = [
            Queue(id=queue, slug=str(n), name=str(n), members=m)
            for n, (queue, m) in enumerate(zip(QUEUES, rights, strict=True))
        ]
        queues = Queues(by_id={q.id: q for q in documents}, by_slug={q.slug: q for q in documents})
        found = asyncio.run_coroutine_threadsafe(listed(made, who, queues, wish), loop).result(30)
        allowed = {
            str(n)
            for n, t in enumerate(made)
            if may(who, "read", ticket_facts(t["queue_id"], t["customer_id"], t["company"], queues)) is Access.ALLOWED
            and wanted(n, t, wish)
        }
        assert found == allowed

    await asyncio.to_thread(agree)
    await connection.close()
