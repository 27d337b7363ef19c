"""Lists and pages show the names of today, of retired documents too, on real PostgreSQL."""

from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.contracts.directory import Person, Priority, Queue, State
from shared.contracts.parts import CustomerRef, PersonRef, StateRef
from shared.contracts.routing import CustomerChanged, OwnerChanged, ResponsibleChanged, StateChanged, TicketLocked
from shared.directory.projection import OWNER, DirectoryProjection, DocumentRow, row_of
from shared.rules.states import NEW
from tests.services.reporting.test_reading_api import ADMIN, BY, CUSTOMER, IT, KARI, LISE, OLA, ONE, PER, TWO, Api, api

__all__ = ["api"]
PER_RECORD = Person(
    id=PER.person_id, login="per", name="Per Dahl", email="per.dahl@xn--kjtt-hra.example", roles=("customer",)
)
ASKED = State(id=UUID(int=61), slug="asked", name="Asked back", type="open")
THIRD = Priority(id=UUID(int=62), slug="3", name="3 as usual", number=3)


async def save(api: Api, document: Queue | Person | State | Priority, *, retired: bool = False) -> None:
    row = replace(row_of(document), retired=retired, seen={OWNER: (2, uuid4())})
    async with api.rows.pool.acquire() as connection:
        await DirectoryProjection().save(connection, {document.id: row})
    await reload(api)


async def identify(api: Api, customer: UUID, person: UUID) -> None:
    row = DocumentRow(identified=(customer, person), seen={"intake": (1, uuid4())})
    async with api.rows.pool.acquire() as connection:
        await DirectoryProjection().save(connection, {uuid4(): row})
    await reload(api)


async def reload(api: Api) -> None:
    await api.directory.load()


async def listed(api: Api, asked: str, who: Any = KARI) -> list[str]:
    return [item["number"] for item in (await api.read(f"/tickets?{asked}", who))["items"]]


async def test_lists_show_todays_names_and_the_history_those_of_the_time(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.")
    asked = StateRef(slug="asked", name="In clarification", type="open")
    await api.happen(
        ticket,
        TicketLocked(by=BY),
        OwnerChanged(to=BY),
        OwnerChanged(to=OLA, was=BY),
        ResponsibleChanged(to=BY),
        StateChanged(to=asked, was=NEW),
    )
    await save(api, IT.model_copy(update={"name": "Machines"}))
    for person, name in ((BY, "Kari Moe"), (OLA, "Ola Lie")):
        await save(
            api, Person(id=person.id, login=person.name.lower(), name=name, email="x@y.example", roles=("agent",))
        )
    for document in (PER_RECORD, ASKED, THIRD):
        await save(api, document)
    page = await api.read(f"/tickets/{ONE}")
    (item,) = (await api.read("/tickets?queue=it&state=asked&owner=ola"))["items"]
    for shown in (page, item):
        assert (shown["queue"]["name"], shown["state"]["name"]) == ("Machines", "Asked back")
        assert (shown["priority"]["name"], shown["owner"]["name"]) == ("3 as usual", "Ola Lie")
        assert [shown[who]["name"] for who in ("previous_owner", "responsible")] == ["Kari Moe", "Kari Moe"]
        assert shown["lock"]["by"]["name"] == "Kari Moe"
        assert (shown["customer"]["name"], shown["customer"]["email"]) == ("Per Dahl", "per.dahl@kjøtt.example")
    told = " ".join(entry["summary"] for entry in (await api.read(f"/tickets/{ONE}/history"))["items"])
    assert "Ola Lie" not in told
    assert "Owner is now Ola" in told
    assert "In clarification" in told


async def test_a_customer_is_found_by_id_login_and_every_spelling_of_the_address(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.")
    await api.open(TWO, "It hums too.")
    unknown = CustomerRef(id=uuid4(), email="ida@xn--kjtt-hra.example", name="Ida")
    await api.happen(ticket, CustomerChanged(to=unknown, was=CUSTOMER))
    for spelling in ("ida@kjøtt.example", "IDA@xn--kjtt-hra.example", "ida@KJØTT.example.", str(unknown.id)):
        assert await listed(api, f"customer={spelling}") == [ONE], spelling
    await save(api, PER_RECORD)
    for name in ("per", str(PER.person_id), "per.dahl@kjøtt.example"):
        assert await listed(api, f"customer={name}") == [TWO], name
    assert await listed(api, "customer=per@acme.example") == [TWO], "by the address that it was asked from"
    assert await listed(api, f"customer=per&customer={unknown.id}") == [ONE, TWO]
    assert await listed(api, "customer=per&customer=ida@kjøtt.example&customer=per@acme.example") == [ONE, TWO]


async def test_tickets_follow_the_person_and_not_the_address(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.")
    await api.open(TWO, "It hums too.")
    unknown = CustomerRef(id=uuid4(), email="per@before.example", name="P")
    await api.happen(ticket, CustomerChanged(to=unknown, was=CUSTOMER))
    await save(api, PER_RECORD)
    assert await listed(api, "sort=created_at", PER) == [TWO]
    await identify(api, unknown.id, PER.person_id)
    assert await listed(api, "sort=created_at", PER) == [ONE, TWO]
    assert (await api.read(f"/tickets/{ONE}", PER))["customer"]["open_tickets"] == 2
    # Somebody else who has either address today sees none of them, and is not meant by them.
    other = LISE.model_copy(update={"email": unknown.email})
    await save(api, Person(id=LISE.person_id, login="lise", name="Lise", email=unknown.email, roles=("customer",)))
    assert await listed(api, "", other) == []
    assert (await api.get(f"/api/v1/tickets/{ONE}", other)).status_code == 404
    assert (await api.get(f"/api/v1/tickets/{ONE}/articles", other)).status_code == 404
    assert await listed(api, f"customer={unknown.email}") == []
    assert await listed(api, "customer=per&sort=created_at") == [ONE, TWO]


async def test_tickets_of_retired_documents_are_listed_counted_and_found(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.")
    asked = StateRef(slug="asked", name="Asked back", type="open")
    await api.happen(ticket, TicketLocked(by=OLA), OwnerChanged(to=OLA), StateChanged(to=asked, was=NEW))
    ola = Person(id=OLA.id, login="ola", name="Ola", email="ola@help.example", roles=("agent",))
    for document in (IT, ASKED, ola, PER_RECORD):
        await save(api, document)
        await save(api, document, retired=True)
    for filters in (
        "queue=it",
        f"queue={IT.id}",
        "state=asked",
        "owner=ola",
        f"locked_by={OLA.id}",
        "customer=per",
        "mine=true",
    ):
        assert await listed(api, filters) == [ONE], filters
        assert await listed(api, filters, ADMIN) == ([] if filters == "mine=true" else [ONE]), filters
    counts = await api.read("/stats/queues")
    assert [(item["queue"]["slug"], item["queue"]["retired"], item["open"]) for item in counts["items"]] == [
        ("it", True, 1)
    ]
    assert counts["mine"]["open"] == 1
    page = await api.read(f"/tickets/{ONE}")
    assert (page["state"]["name"], page["owner"]["name"], page["customer"]["name"]) == ("Asked back", "Ola", "Per Dahl")
    assert page["customer"]["email"] == "per@acme.example", (
        "customers without a record are known by the address that they asked from"
    )


async def test_an_unknown_state_is_still_refused(api: Api) -> None:
    assert (await api.get("/api/v1/tickets?state=nonsense")).status_code == 422


@pytest.mark.parametrize("person", [BY, OLA])
async def test_people_without_a_record_keep_the_name_of_the_event(api: Api, person: PersonRef) -> None:
    ticket = await api.open(ONE, "It hums.")
    stranger = PersonRef(id=uuid4(), name=f"{person.name} the stranger")
    await api.happen(ticket, OwnerChanged(to=stranger))
    assert (await api.read(f"/tickets/{ONE}"))["owner"]["name"] == stranger.name
