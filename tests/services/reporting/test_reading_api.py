"""Reading tickets over HTTP, as an agent and as a customer, on real PostgreSQL."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx2 import ASGITransport, AsyncClient, Response

from services.reporting.exports import exports_api
from services.reporting.exports.export import Exports
from services.reporting.notices.notice_list import NoticeList
from services.reporting.printing import print_api
from services.reporting.printing.pdf_page import MODULE, MOST_SECONDS
from services.reporting.stats import api as stats_api
from services.reporting.tickets import articles_api, tickets_api
from services.reporting.tickets.articles_api import PAGE_BYTES
from services.reporting.tickets.ticket_reader import TicketReader
from shared.blobs.store import BlobStore
from shared.bounded.processes import Processes
from shared.contracts.directory import Member, Person, Queue
from shared.contracts.intake import CustomerMessageReceived, TicketOpened
from shared.contracts.parts import (
    Address,
    Attachment,
    Blob,
    CustomerRef,
    Message,
    PersonRef,
    QueueRef,
    StateRef,
    TicketRef,
)
from shared.contracts.routing import (
    AgentReplied,
    MergeUndone,
    NoteAdded,
    OwnerChanged,
    SplitUndone,
    StateChanged,
    TicketAbsorbed,
    TicketLocked,
    TicketMerged,
    TicketMoved,
    TicketQueued,
    TicketReleased,
    TicketsLinked,
    TicketSplit,
    TicketsUnlinked,
    TicketUnlocked,
    TimeAccounted,
)
from shared.directory.copy import DirectoryCopy
from shared.http.identity import HEADER, sign
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.rules.access import Identity
from shared.rules.states import NEW
from shared.testing.documents import seed
from shared.testing.keys import KEYS, SIGNING
from tests.described import CHECKED
from tests.services.reporting.reporting_database import START, ZONE, Log, Reporting
from tests.specs.requirement import requirement

KARI = Identity(
    person_id=UUID(int=1), kind="agent", login="kari", name="Kari", email="kari@help.example", roles=("agent",)
)
EVA = KARI.model_copy(update={"person_id": UUID(int=2), "login": "eva", "email": "eva@help.example"})
PER = Identity(
    person_id=UUID(int=20), kind="customer", login="per", name="Per", email="per@acme.example", roles=("customer",)
)
ADMIN = KARI.model_copy(update={"person_id": UUID(int=9), "kind": "admin", "login": "admin", "roles": ("admin",)})
LISE = PER.model_copy(update={"person_id": UUID(int=21), "email": "lise@other.example"})
IT = Queue(
    id=UUID(int=10), slug="it", name="IT", members=(Member(person=KARI.person_id, rights=("read", "note", "work")),)
)
PLACE = QueueRef(id=IT.id, slug=IT.slug, name=IT.name)
SOMEBODY = CustomerRef(id=UUID(int=29), email="somebody@else.example")
CUSTOMER = CustomerRef(id=PER.person_id, email=PER.email, name=PER.name)
BY = PersonRef(id=KARI.person_id, name="Kari")
OLA = PersonRef(id=UUID(int=3), name="Ola")
PEOPLE = tuple(
    Person(
        id=each.id, login=each.name.lower(), name=each.name, email=f"{each.name.lower()}@help.example", roles=("agent",)
    )
    for each in (BY, OLA)
)
ONE, TWO = (f"202611231000{n:04d}" for n in (1, 2))


@dataclass(slots=True)
class Api:
    client: AsyncClient
    rows: Reporting
    blobs: BlobStore
    log: Log
    directory: DirectoryCopy

    async def get(self, path: str, who: Identity = KARI) -> Response:
        return await self.client.get(path, headers={HEADER: sign(who, "reporting", SIGNING)})

    async def read(self, path: str, who: Identity = KARI) -> Any:
        answer = await self.get(f"/api/v1{path}", who)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def happen(self, ticket: UUID, *events: Any, since: datetime = START) -> None:
        """Adds events to a ticket, and folds them."""
        known = len(self.log.events)
        self.log.add(ticket, *events, since=since)
        await self.rows.show(self.log.events[known:])

    async def open(
        self,
        number: str,
        text: str,
        *files: Attachment,
        raw: Blob | None = None,
        notes: tuple[str, ...] = (),
        customer: CustomerRef = CUSTOMER,
    ) -> UUID:
        """A ticket with one message of the customer."""
        ticket = uuid4()
        words = Message(id=uuid4(), channel="email", text=text, attachments=files, raw=raw, reading_notes=notes)
        opened = TicketOpened(
            number=number, title=text, queue=PLACE, customer=customer, channel="email", message=words, priority=3
        )
        queued = TicketQueued(
            number=number, title=text, queue=PLACE, customer=customer, state=NEW, priority=3, channel="email"
        )
        await self.happen(ticket, opened, queued)
        return ticket


@pytest.fixture
async def api(live_desk: Reporting, tmp_path: Path) -> AsyncIterator[Api]:
    await seed(live_desk.app_url, IT, *PEOPLE)
    copy, blobs = DirectoryCopy(live_desk.pool, live_desk.app_url), BlobStore(f"file://{tmp_path}")
    await copy.load()
    reader = TicketReader(live_desk.pool, copy, blobs)
    printers = Processes(MODULE, 1, most_seconds=MOST_SECONDS)
    routers = [
        exports_api.router(reader, Exports(live_desk.app_url), ZONE),
        print_api.router(reader, printers, ZONE),
        tickets_api.router(reader),
        articles_api.router(reader),
        stats_api.router(
            stats_api.StatsReader(live_desk.pool, copy, ZONE, NoticeList(live_desk.pool, live_desk.pool, copy, ZONE))
        ),
    ]
    app = application(Health("reporting", "api"), keys=KEYS, routers=routers)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://reporting", event_hooks=CHECKED) as client:
        yield Api(client, live_desk, blobs, Log(), copy)
    await printers.close()


def note(text: str, *, internal: bool = True, files: tuple[Attachment, ...] = ()) -> NoteAdded:
    return NoteAdded(
        by=BY, message=Message(id=uuid4(), channel="note", text=text, attachments=files), internal=internal
    )


@requirement("A7.30", "A7.31", "A19.04")
async def test_customers_do_not_see_internal_articles_and_columns(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.")
    await api.happen(ticket, note("Per always says that."), note("We are looking.", internal=False))
    await api.open(TWO, "And smells.")
    mine, theirs = await api.read(f"/tickets/{ONE}"), await api.read(f"/tickets/{ticket}", PER)
    assert (mine["article_count"], theirs["article_count"]) == (3, 2)
    assert (mine["customer"]["open_tickets"], theirs["customer"]["open_tickets"]) == (2, 2)
    assert ("reply" in mine["allowed"], theirs["allowed"]) == (True, ["message"])
    for who, texts in (
        (KARI, ["It hums.", "Per always says that.", "We are looking."]),
        (PER, ["It hums.", "We are looking."]),
    ):
        articles = await api.read(f"/tickets/{ticket}/articles", who)
        assert [each["text"] for each in articles["items"]] == texts
    assert len((await api.read(f"/tickets/{ticket}/history"))["items"]) == 4
    assert (await api.get(f"/api/v1/tickets/{ticket}/history", PER)).status_code == 403
    assert [t["number"] for t in (await api.read("/tickets", PER))["items"]] == [ONE, TWO]


async def test_strangers_find_nothing(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.")
    for who in (EVA, LISE):
        for path in ("", "/articles", "/history", f"/articles/{uuid4()}/raw"):
            assert (await api.get(f"/api/v1/tickets/{ticket}{path}", who)).status_code == 404
        assert (await api.read("/tickets", who))["items"] == []
        assert (await api.get(f"/internal/tickets/{ticket}/articles/{uuid4()}", who)).status_code == 404
    assert (await api.client.get(f"/api/v1/tickets/{ticket}")).status_code == 401
    for reference in ("nonsense", "2026112310009999", str(uuid4()), "%00"):
        assert (await api.get(f"/api/v1/tickets/{reference}")).status_code == 404


async def test_articles_are_paged(api: Api) -> None:
    ticket = await api.open(ONE, "0")
    await api.happen(ticket, *(note(str(n)) for n in range(1, 25)))
    texts: list[str] = []
    path = f"/tickets/{ticket}/articles?limit=10"
    cursor = ""
    while True:
        found = await api.read(path + cursor)
        texts += [each["text"] for each in found["items"]]
        if found["next_cursor"] is None:
            break
        cursor = f"&cursor={found['next_cursor']}"
    assert texts == [str(n) for n in range(25)]


@requirement("A7.19")
async def test_articles_of_a_merged_ticket_are_shown_with_the_other_until_the_merge_is_undone(api: Api) -> None:
    one, two = await api.open(ONE, "first"), await api.open(TWO, "second")
    here, there = TicketRef(id=one, number=ONE), TicketRef(id=two, number=TWO)
    await api.happen(one, TicketMerged(into=there, was=NEW, by=BY))
    await api.happen(two, TicketAbsorbed(other=here, by=BY), note("third"))
    living, merged = await api.read(f"/tickets/{TWO}"), await api.read(f"/tickets/{ONE}")
    assert (living["article_count"], merged["state"]["type"], merged["merged_into"]["number"]) == (3, "merged", TWO)
    articles = (await api.read(f"/tickets/{TWO}/articles"))["items"]
    assert [(each["text"], each["ticket"]["number"]) for each in articles] == [
        ("first", ONE), ("second", TWO), ("third", TWO),
    ]  # fmt: skip
    await api.happen(one, MergeUndone(into=there, state=NEW, by=BY))
    await api.happen(two, TicketReleased(other=here, by=BY))
    assert [a["text"] for a in (await api.read(f"/tickets/{ONE}/articles"))["items"]] == ["first"]
    assert [a["text"] for a in (await api.read(f"/tickets/{TWO}/articles"))["items"]] == ["second", "third"]


@requirement("A7.18")
async def test_links_name_only_what_the_reader_may_see(api: Api) -> None:
    one, two, hidden = await api.open(ONE, "first"), await api.open(TWO, "second"), uuid4()
    await api.happen(one, TicketsLinked(kind="parent", other=TicketRef(id=two), by=BY))
    await api.happen(one, TicketsLinked(kind="related", other=TicketRef(id=hidden, number="9", title="secret"), by=BY))
    links = (await api.read(f"/tickets/{one}"))["links"]
    assert [(each["kind"], each["outgoing"], each["ticket"]["number"]) for each in links] == [("parent", True, TWO)]
    assert (await api.read(f"/tickets/{one}", PER))["links"] == links  # both are Per's own


@requirement("A19.02", "A19.03")
async def test_the_history_names_only_tickets_and_queues_that_the_reader_may_see(api: Api) -> None:
    one, two, hidden, made = await api.open(ONE, "first"), await api.open(TWO, "second"), uuid4(), uuid4()
    secret = TicketRef(id=hidden, number="2026112310000999", title="Dismissals")
    elsewhere = QueueRef(id=UUID(int=77), slug="dismissals", name="Dismissals")
    words = Message(id=uuid4(), channel="email", text="Dismissals")
    for ticket in (hidden, made):
        opened = TicketOpened(
            number=f"9{ticket.int % 1000}",
            title="Dismissals",
            queue=elsewhere,
            customer=SOMEBODY,
            channel="email",
            message=words,
        )
        await api.happen(ticket, opened)
    here = TicketRef(id=one, number=ONE, title="first")
    await api.happen(
        one,
        TicketsLinked(kind="related", other=secret, by=BY),
        TicketsUnlinked(kind="related", other=secret, by=BY),
        TicketsLinked(kind="related", other=TicketRef(id=two, number=TWO, title="second"), by=BY),
        TicketSplit(
            articles=(uuid4(),),
            into=made,
            title="Dismissals",
            queue=elsewhere,
            customer=SOMEBODY,
            message=words,
            origin=here,
            by=BY,
        ),
        SplitUndone(into=made, by=BY),
        TicketAbsorbed(other=secret, by=BY),
        TicketReleased(other=secret, by=BY),
        TicketMoved(to=PLACE, was=elsewhere, by=BY),
        TicketMerged(into=secret, was=NEW, by=BY),
    )
    seen = await api.get(f"/api/v1/tickets/{one}/history")
    for told in ("ismissals", "2026112310000999", str(hidden), str(made), SOMEBODY.email):
        assert told not in seen.text
    assert TWO in seen.text
    items = seen.json()["items"]
    assert [each["data"].get("other", "-") for each in items if "Unlinked" in each["type"]] == [None]
    assert [each["summary"] for each in items if "TicketMoved" in each["type"]] == [
        "Moved from another queue to the queue IT by Kari"
    ]
    assert (await api.read(f"/tickets/{one}"))["merged_into"] is None
    everything = await api.get(f"/api/v1/tickets/{one}/history", ADMIN)
    assert everything.text.count("2026112310000999") >= 5
    assert (await api.read(f"/tickets/{one}", ADMIN))["merged_into"] == {"id": str(hidden), "number": secret.number}


async def test_articles_of_a_hidden_merged_ticket_are_shown_without_its_number(api: Api) -> None:
    living, hidden = await api.open(ONE, "first"), uuid4()
    elsewhere = QueueRef(id=UUID(int=77), slug="dismissals", name="Dismissals")
    words = Message(id=uuid4(), channel="email", text="the other words")
    opened = TicketOpened(number=TWO, title="x", queue=elsewhere, customer=SOMEBODY, channel="email", message=words)
    await api.happen(hidden, opened, TicketMerged(into=TicketRef(id=living, number=ONE), was=NEW, by=BY))
    items = (await api.read(f"/tickets/{ONE}/articles"))["items"]
    assert [(each["text"], each["ticket"]) for each in items] == [
        ("first", {"id": str(living), "number": ONE}), ("the other words", None),
    ]  # fmt: skip
    assert (await api.read(f"/tickets/{ONE}/articles", ADMIN))["items"][1]["ticket"]["number"] == TWO


async def test_a_page_of_articles_has_a_limit_for_long_texts(api: Api) -> None:
    half = await api.blobs.put(b"x" * (PAGE_BYTES // 2), "text/plain")
    whole = await api.blobs.put(b"y" * (PAGE_BYTES + 1), "text/plain")
    ticket = await api.open(ONE, "first")
    for blob in (half, half, half, whole, half):
        long = note("begins")
        await api.happen(
            ticket, long.model_copy(update={"message": long.message.model_copy(update={"text_blob": blob})})
        )
    pages, cursor = [], ""
    while cursor is not None:
        page = await api.read(f"/tickets/{ONE}/articles?limit=200{cursor and f'&cursor={cursor}'}")
        pages.append([len(each["text"]) for each in page["items"]])
        cursor = page["next_cursor"]
    assert pages == [[5, half.size, half.size], [half.size], [whole.size], [half.size]]


@requirement("A7.26")
async def test_remote_images_are_loaded_only_when_they_are_asked_for(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.")
    blob = await api.blobs.put(b"png", "image/png")
    picture = Attachment(id=uuid4(), name="hum.png", blob=blob, inline_id="hum@1")
    paper = Attachment(id=uuid4(), name="paper.png", blob=blob)
    html = '<p><img src="cid:hum@1"><img data-remote="https://elsewhere.example/1.gif"></p>'
    words = Message(id=uuid4(), channel="note", text="See.", html=html, attachments=(picture, paper))
    await api.happen(ticket, NoteAdded(by=BY, message=words, internal=False))
    own = f'<img src="/api/v1/blobs/{picture.id}">'
    for path, remote in (("", "data-remote="), ("?remote_content=true", 'referrerpolicy="no-referrer" src=')):
        article = (await api.read(f"/tickets/{ticket}/articles{path}", PER))["items"][1]
        assert article["html"] == f'<p>{own}<img {remote}"https://elsewhere.example/1.gif"></p>'
        assert [each["inline"] for each in article["attachments"]] == [True, False]
    assert (await api.get(f"/api/v1/blobs/{picture.id}", PER)).content == b"png"


@requirement("A7.22")
async def test_attachments_are_for_readers_of_an_article_that_has_them(api: Api) -> None:
    blob = (await api.blobs.put(b"<script>alert(1)</script>")).model_copy(update={"type": "text/html"})
    public = Attachment(id=uuid4(), name='Ærlig "talt".html', blob=blob)
    secret = Attachment(id=uuid4(), name="wages.txt", blob=blob.model_copy(update={"type": "text/plain"}))
    ticket = await api.open(ONE, "It hums.", public)
    await api.happen(ticket, note("Look at this.", files=(secret,)))
    found = await api.get(f"/api/v1/blobs/{public.id}", PER)
    assert (found.status_code, found.content) == (200, b"<script>alert(1)</script>")
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.headers["x-content-type-options"] == "nosniff"
    assert found.headers["content-disposition"].startswith("attachment;")
    assert (await api.get(f"/api/v1/blobs/{secret.id}")).status_code == 200
    for who in (PER, EVA, LISE):
        assert (await api.get(f"/api/v1/blobs/{secret.id}", who)).status_code == 404
    for who in (EVA, LISE):
        assert (await api.get(f"/api/v1/blobs/{public.id}", who)).status_code == 404


@pytest.mark.parametrize(
    "kind", ["image/svg+xml", "text/html", "application/xhtml+xml", "text/xml", "application/javascript"]
)
async def test_files_are_downloads_and_never_run_as_our_pages(api: Api, kind: str) -> None:
    blob = (await api.blobs.put(b"<svg onload='alert(1)'/>")).model_copy(update={"type": kind})
    file = Attachment(id=uuid4(), name="picture.svg", blob=blob, inline_id="logo")
    await api.open(ONE, "It hums.", file)
    found = await api.get(f"/api/v1/blobs/{file.id}", PER)
    assert found.headers["content-type"] == "application/octet-stream"
    assert found.headers["content-disposition"].startswith("attachment;")
    assert found.headers["x-content-type-options"] == "nosniff"


async def test_only_administrators_may_download_malware(api: Api) -> None:
    blob = await api.blobs.put(b"a program")
    bad = Attachment(id=uuid4(), name="bill.exe", blob=blob, scan="infected", threat="Eicar-Signature")
    good = Attachment(id=uuid4(), name="bill.txt", blob=blob, scan="clean")
    unknown = Attachment(id=uuid4(), name="old.txt", blob=blob)
    ticket = await api.open(ONE, "The bill.", bad, good, unknown)
    (article,) = (await api.read(f"/tickets/{ticket}/articles", PER))["items"]
    assert [(each["scan"], each["threat"]) for each in article["attachments"]] == [
        ("infected", "Eicar-Signature"), ("clean", ""), ("not_scanned", ""),
    ]  # fmt: skip
    for who in (PER, KARI):
        refused = await api.get(f"/api/v1/blobs/{bad.id}", who)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/infected")
        assert "Eicar-Signature" in refused.json()["detail"]
        for harmless in (good, unknown):
            assert (await api.get(f"/api/v1/blobs/{harmless.id}", who)).status_code == 200
    assert (await api.get(f"/api/v1/blobs/{bad.id}", EVA)).status_code == 404  # she may not know of it
    assert (await api.get(f"/api/v1/blobs/{bad.id}", ADMIN)).content == b"a program"


async def test_only_the_desk_sees_what_could_not_be_read_of_a_mail(api: Api) -> None:
    ticket = await api.open(ONE, "The bill.", notes=("winmail.dat could not be read to its end",))
    told = [(await api.read(f"/tickets/{ticket}/articles", who))["items"][0]["reading_notes"] for who in (KARI, PER)]
    assert told == [["winmail.dat could not be read to its end"], []]
    (event, _) = (await api.read(f"/tickets/{ticket}/history"))["items"]
    assert event["data"]["message"]["reading_notes"] == ["winmail.dat could not be read to its end"]


async def test_only_the_desk_sees_where_answers_are_wanted(api: Api) -> None:
    ticket = await api.open(ONE, "The bill.")
    home = Address(email="per@home.example", name="Per")
    wish = Message(id=uuid4(), channel="email", text="And?", reply_to=(home,), reply_to_doubt="other_domain")
    await api.happen(ticket, CustomerMessageReceived(number=ONE, customer=CUSTOMER, message=wish))
    for who, told in ((KARI, [{"email": home.email, "name": "Per"}]), (PER, [])):
        article = (await api.read(f"/tickets/{ticket}/articles", who))["items"][-1]
        assert (article["reply_to"], article["reply_to_doubt"]) == (told, "other_domain" if told else "")
    found = await api.get(f"/internal/tickets/{ticket}/articles/{wish.id}")
    assert Message.model_validate(found.json()["message"]).reply_to_doubt == "other_domain"


async def test_only_administrators_may_download_a_raw_mail_with_malware(api: Api) -> None:
    raw = (await api.blobs.put(b"From: x")).model_copy(update={"type": "message/rfc822"})
    file = Attachment(id=uuid4(), name="bill.exe", blob=raw, scan="infected", threat="Eicar-Signature")
    ticket = await api.open(ONE, "The bill.", file, raw=raw)
    article = (await api.read(f"/tickets/{ticket}/articles"))["items"][0]["id"]
    path = f"/api/v1/tickets/{ticket}/articles/{article}/raw"
    assert [(await api.get(path, who)).status_code for who in (KARI, PER, ADMIN)] == [403, 403, 200]


async def test_other_services_get_an_article_as_it_was_recorded(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.", notes=("a part was broken",))
    article = (await api.read(f"/tickets/{ticket}/articles"))["items"][0]["id"]
    found = await api.get(f"/internal/tickets/{ticket}/articles/{article}")
    assert found.json()["ticket"]["number"] == ONE
    message = Message.model_validate(found.json()["message"])
    assert (str(message.id), message.text, message.reading_notes) == (article, "It hums.", ("a part was broken",))
    assert (await api.get(f"/internal/tickets/{ticket}/articles/{article}", PER)).status_code == 403
    assert (await api.get(f"/internal/tickets/{ticket}/articles/{uuid4()}")).status_code == 404


@requirement("A3.02")
async def test_filters_of_a_list(api: Api) -> None:
    one, two = await api.open(ONE, "first"), await api.open(TWO, "second")
    await api.happen(
        one, CustomerMessageReceived(number=ONE, customer=CUSTOMER, message=Message(id=uuid4(), channel="email"))
    )
    closed = StateRef(slug="closed-successful", name="closed successful", type="closed")
    await api.happen(two, TicketMerged(into=TicketRef(id=one, number=ONE), was=closed, by=BY))
    for query, numbers in (
        ("", [ONE, TWO]),
        ("queue=it", [ONE, TWO]),
        ("queue=nowhere", []),
        ("state=new", [ONE]),
        ("state_type=merged", [TWO]),
        ("state=new&state_type=closed", []),
        ("owner=me", []),
        ("locked=false", [ONE, TWO]),
        ("customer=PER@acme.example", [ONE, TWO]),
        ("customer=x@y.example", []),
        ("company=acme", []),
        ("priority=3&priority=5", [ONE, TWO]),
        ("priority=1", []),
        ("tag=x", []),
        ("available=true", [ONE, TWO]),
        ("reminder_due=true", []),
        ("mine=true", [ONE, TWO]),
        ("created_from=2099-01-01T00:00:00Z", []),
        ("updated_from=2020-01-01T00:00:00Z&sort=-updated_at", [TWO, ONE]),
    ):
        found = await api.read(f"/tickets?{query}")
        assert (query, [each["number"] for each in found["items"]]) == (query, numbers)
    for query, pointer in (
        ("state=unknown", "/query/state"),
        ("created_from=0001-01-01T00:00:00Z", "/query/created_from"),
    ):
        wrong = await api.get(f"/api/v1/tickets?{query}")
        assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, pointer)


@requirement("A3.15", "A3.18", "A6.07")
async def test_counts_of_queues_and_of_ones_own_tickets(api: Api) -> None:
    one, two = await api.open(ONE, "first"), await api.open(TWO, "second")
    await api.open("2026112310009999", "third")
    await api.happen(one, TicketLocked(by=BY), OwnerChanged(to=BY))
    await api.happen(two, TicketLocked(by=OLA))
    found = await api.read("/stats/queues")
    counts = {"new": 3, "open": 0, "pending": 0, "closed": 0, "available": 2, "locked_by_me": 1, "owned_by_me": 1}
    assert found == {"items": [{"queue": {"id": str(IT.id), "slug": "it", "name": "IT"}, **counts}], "mine": counts}
    for who in (PER, EVA):
        assert (await api.read("/stats/queues", who))["items"] == []


@requirement("A16.01", "A16.02")
async def test_time_is_summed_for_each_day_and_agent(api: Api) -> None:
    today = datetime.now(ZONE).replace(hour=12)
    yesterday = today - timedelta(days=1)
    one, two = await api.open(ONE, "first"), await api.open(TWO, "second")
    await api.happen(one, TimeAccounted(by=BY, units=0.1), TimeAccounted(by=BY, units=0.2), since=yesterday)
    await api.happen(two, TimeAccounted(by=BY, units=2), TimeAccounted(by=OLA, units=5), since=yesterday)
    await api.happen(two, TimeAccounted(by=OLA, units=1), since=today)
    first, second = (each.date().isoformat() for each in (yesterday, today))
    kari, ola = ({"id": str(each.id), "name": each.name} for each in (BY, OLA))
    both = [
        {"day": first, "agent": kari, "units": 2.3, "tickets": 2},
        {"day": first, "agent": ola, "units": 5.0, "tickets": 1},
        {"day": second, "agent": ola, "units": 1.0, "tickets": 1},
    ]
    assert await api.read("/stats/time?days=30") == {"items": both, "units": 8.3}
    assert await api.read("/stats/time?days=30&person=ola") == {"items": both[1:], "units": 6.0}
    assert (await api.read(f"/tickets/{two}"))["time_units"] == 8
    # Whoever reads no queue sees only their own work, and must not learn who exists.
    ola_himself = KARI.model_copy(update={"person_id": OLA.id, "login": "ola"})
    assert await api.read("/stats/time?days=30", ola_himself) == {"items": both[1:], "units": 6.0}
    for who, query in ((PER, ""), (EVA, ""), (PER, "&person=ola"), (PER, "&person=nobody")):
        assert await api.read(f"/stats/time?days=30{query}", who) == {"items": [], "units": 0.0}
    wrong = await api.get("/api/v1/stats/time?person=nobody")
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/query/person")


@requirement("A5.15", "A5.18", "A6.13", "A7.01", "A7.02", "A7.03", "A7.21", "A7.29", "A7.38")
async def test_a_ticket_shows_everything_after_it_is_closed_too(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.")
    answer = Message(
        id=uuid4(),
        channel="email",
        subject="Humming",
        text="Switch it off.",
        sender=Address(email="it@help.example", name="IT"),
    )
    replied = AgentReplied(number=ONE, title="It hums.", queue=PLACE, customer=CUSTOMER, by=BY, message=answer)
    closed = StateRef(slug="closed-successful", name="closed successful", type="closed")
    (before,) = (await api.read("/tickets"))["items"]
    assert before["lock"] == {"locked": False, "by": None, "since": None, "expires_at": None}
    await api.happen(
        ticket, TicketLocked(by=BY), OwnerChanged(to=BY), replied, TimeAccounted(by=BY, units=2), note("Was the fan."),
        StateChanged(to=closed, was=NEW), TicketUnlocked(was=BY, because="closed"),
    )  # fmt: skip
    page = await api.read(f"/tickets/{ONE}")
    assert {name: page[name] for name in ("title", "channel", "time_units", "article_count")} == {
        "title": "It hums.", "channel": "email", "time_units": 2, "article_count": 3,
    }  # fmt: skip
    assert (page["state"]["name"], page["queue"]["name"], page["priority"]["id"]) == ("closed successful", "IT", 3)
    assert (page["customer"]["email"], page["owner"]["name"], page["lock"]["locked"]) == (PER.email, "Kari", False)
    assert page["created_at"] < page["first_answer_at"] < page["closed_at"] < page["updated_at"]
    articles = (await api.read(f"/tickets/{ONE}/articles"))["items"]
    shown = [(a["number"], a["sender"], a["channel"], a["internal"], a["subject"], a["text"]) for a in articles]
    assert shown == [
        (1, "customer", "email", False, "", "It hums."),
        (2, "agent", "email", False, "Humming", "Switch it off."),
        (3, "agent", "note", True, "", "Was the fan."),
    ]
    assert articles[1]["from"] == {"email": "it@help.example", "name": "IT"}
    assert [a["text"] for a in (await api.read(f"/tickets/{ONE}/articles", PER))["items"]] == [
        "It hums.",
        "Switch it off.",
    ]
    history = (await api.read(f"/tickets/{ONE}/history"))["items"]
    assert [entry["type"].split(".")[1] for entry in history] == [
        "TicketOpened", "TicketQueued", "TicketLocked", "OwnerChanged", "AgentReplied", "TimeAccounted", "NoteAdded",
        "StateChanged", "TicketUnlocked",
    ]  # fmt: skip
    assert all(entry["summary"] and entry["at"] and entry["actor"]["kind"] for entry in history)


@requirement("A3.09")
async def test_a_ticket_leaves_the_list_of_the_agent_who_moved_it(api: Api) -> None:
    ticket = await api.open(ONE, "first")
    hr = QueueRef(id=uuid4(), slug="hr", name="HR")
    await api.happen(ticket, TicketMoved(to=hr, was=PLACE, by=BY))
    assert (await api.read("/tickets"))["items"] == []
    assert (await api.get(f"/api/v1/tickets/{ONE}")).status_code == 404
    assert [t["queue"]["name"] for t in (await api.read("/tickets", PER))["items"]] == ["HR"]
