"""Exports of the ticket list in every format, on real PostgreSQL: `GET /tickets/export`."""

import asyncio
import json
import tempfile
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from services.reporting.download import Sink
from services.reporting.exports import exports_api
from services.reporting.exports.columns import COLUMNS, DEFAULT, chosen
from services.reporting.exports.export import MOST_OF_A_PERSON, MOST_OF_CUSTOMERS, Exports, Wanted
from services.reporting.exports.formats import FORMATS
from services.reporting.exports.statement import Chosen, Names
from services.reporting.tickets.ticket_list import Filters
from services.reporting.tickets.ticket_reader import TicketReader
from services.reporting.visibility import Scope
from shared.contracts.directory import Person
from shared.contracts.parts import CustomerRef, TicketRef
from shared.contracts.routing import CustomerChanged, FieldsChanged, OwnerChanged, TagsAdded, TicketsLinked
from shared.database import Pool
from shared.directory.copy import Configuration, Queues
from shared.http.identity import HEADER, sign
from shared.http.problems import Problem
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.http.serving.server import listening_socket, serve
from shared.testing.keys import KEYS, SIGNING
from shared.testing.progress import until
from tests.services.reporting.exported import commas, parquet, sheets
from tests.services.reporting.reporting_database import START, ZONE, Reporting, add_tickets
from tests.services.reporting.test_names_of_today import PER_RECORD, save
from tests.services.reporting.test_reading_api import (
    ADMIN,
    BY,
    CUSTOMER,
    EVA,
    IT,
    KARI,
    LISE,
    OLA,
    ONE,
    PER,
    TWO,
    Api,
    api,
)
from tests.specs.requirement import requirement

__all__ = ["api"]
HOSTILE = (
    "=1+1", "+49 900 123", "-2+3", "@SUM(A1:A9)", "\t=1", "\r=1", "  =1+1", "＝1+1", "\u200b=1+1", "\xa0@x", "\n=2",
    "'tis quoted", 'quotes "q", comma; semicolon', "two\nlines\r\nand more", "<b>bold</b> & co", "Ærlig 漢字 🦊 Привет",
    "\u202egnp.exe", "\x01\x02 control", "_x0041_ is no escape", "ends with a backslash \\", "\\.", "", "a,b", "\ufffe",
)  # fmt: skip
START_OF_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "  =", "\u200b=", "\xa0@")
EVERY_COLUMN = ",".join([*COLUMNS, "field.room"])


def safe(text: str) -> str:
    return f"'{text}" if text.startswith(START_OF_FORMULA) else text


async def exported(api: Api, asked: str, who: Any = KARI) -> bytes:
    answer = await api.get(f"/api/v1/tickets/export?{asked}", who)
    assert answer.status_code == 200, answer.text
    return answer.content


async def hostile_rows(rows: Reporting) -> None:
    await add_tickets(
        rows.owner,
        [
            {
                "title": text, "customer_name": text, "company": text or None, "tags": [text] if text else [],
                "fields": {"room": text, "n": 1}, "owner_name": text,
            }
            for text in HOSTILE
        ],
    )  # fmt: skip


@requirement("A18.01", "A11.07")
async def test_texts_are_whole_and_no_cell_is_a_formula(api: Api) -> None:
    await hostile_rows(api.rows)
    columns = "columns=number,title,customer,company,tags,field.room,fields,owner&sort=created_at"
    header, *rows = commas(await exported(api, f"format=csv&{columns}"))
    assert header == ["number", "title", "customer", "company", "tags", "field.room", "fields", "owner"]
    assert [row[1] for row in rows] == [safe(text) for text in HOSTILE]
    for row, text in zip(rows, HOSTILE, strict=True):
        assert row[2:6] == [safe(text)] * 4, text
        assert row[6].startswith("{")
    assert not [cell for row in rows for cell in row if cell.startswith(START_OF_FORMULA)]
    (book,) = sheets(await exported(api, f"format=xlsx&{columns}")).values()
    titles = [row.get("B", "") for row in book[1:]]
    assert [t.replace("\r\n", "\n").replace("\r", "\n") for t in titles] == [
        safe(text).replace("\r\n", "\n").replace("\r", "\n") for text in HOSTILE
    ]
    assert not [cell for row in book for cell in row.values() if cell == "<formula>"]
    by_json = (await api.get(f"/api/v1/tickets/export?format=json&{columns}")).json()["items"]
    by_parquet = parquet(await exported(api, f"format=parquet&{columns}"))
    for found in (by_json, by_parquet):
        assert [row["title"] for row in found] == list(HOSTILE)
        assert [row["tags"] for row in found] == [[text] if text else [] for text in HOSTILE]
        assert [row["field.room"] for row in found] == list(HOSTILE)


@requirement("A18.01")
async def test_values_are_those_of_the_list(api: Api) -> None:
    """Each column is compared with the item of the list: names of today, and types that the format has."""
    ticket = await api.open(ONE, "It hums.")
    other = await api.open(TWO, "It smells.")
    await api.happen(
        ticket,
        OwnerChanged(to=BY),
        TagsAdded(tags=("heat", "noise"), by=BY),
        FieldsChanged(values={"room": "12b", "floor": 3}, by=BY),
        TicketsLinked(other=TicketRef(id=other, number=TWO, title="x"), kind="related", outgoing=True, by=BY),
    )
    await save(api, PER_RECORD)
    await save(api, Person(id=BY.id, login="kari", name="Kari Moe", email="x@y.example", roles=("agent",)))
    item = (await api.read("/tickets?sort=created_at"))["items"][0]
    (row, _) = (await api.get(f"/api/v1/tickets/export?format=json&sort=created_at&columns={EVERY_COLUMN}")).json()[
        "items"
    ]
    for name in ("id", "number", "title", "channel", "tags", "time_units", "article_count", "reminder_due", "fields"):
        assert row[name] == item[name], name
    for name in ("queue", "state", "priority", "owner", "customer"):
        assert row[name] == item[name]["name"], name
    assert (row["owner"], row["customer"], row["customer_email"]) == ("Kari Moe", "Per Dahl", "per.dahl@kjøtt.example")
    assert (row["queue_slug"], row["state_slug"], row["state_type"], row["priority_number"]) == ("it", "new", "new", 3)
    assert (row["links"], row["merged_into"], row["field.room"], row["locked"]) == ([TWO], None, "12b", False)
    assert datetime.fromisoformat(row["created_at"]) == datetime.fromisoformat(item["created_at"])
    (typed, _) = parquet(await exported(api, f"format=parquet&sort=created_at&columns={EVERY_COLUMN}"))
    assert typed["created_at"] == datetime.fromisoformat(item["created_at"])
    assert (typed["tags"], typed["priority_number"], typed["locked"]) == (["heat", "noise"], 3.0, False)
    (book,) = sheets(
        await exported(api, "format=xlsx&sort=created_at&columns=number,created_at,priority_number")
    ).values()
    days = float(book[1]["B"])
    assert abs(days - (START - datetime(1899, 12, 30, tzinfo=UTC)).total_seconds() / 86400) < 1e-6
    assert book[1]["C"] == "3"


async def test_times_are_on_the_clock_of_the_zone(live_desk: Reporting) -> None:
    await add_tickets(live_desk.owner, [{"created_at": datetime(2026, 7, 1, 23, 30, tzinfo=UTC)}])
    wanted = all_tickets(columns="number,created_at", zone="Europe/Oslo")
    assert commas(await whole(live_desk, wanted))[1] == ["0", "2026-07-02T01:30:00.000+02:00"]
    (row,) = parquet(await whole(live_desk, all_tickets("parquet", "created_at", "Europe/Oslo")))
    assert row["created_at"].isoformat() == "2026-07-02T01:30:00+02:00"


async def test_a_zone_that_the_database_does_not_know_leaves_times_in_utc(live_desk: Reporting) -> None:
    await add_tickets(live_desk.owner, [{"created_at": datetime(2026, 7, 1, 23, 30, tzinfo=UTC)}])
    with (resources.files("tzdata.zoneinfo.Europe") / "Oslo").open("rb") as file:
        newer = ZoneInfo.from_file(file, key="Europe/Newer")
    wanted = replace(all_tickets(columns="number,created_at"), zone=newer)
    assert commas(await whole(live_desk, wanted))[1] == ["0", "2026-07-01T23:30:00.000+00:00"]


@requirement("A18.02", "A11.07")
async def test_files_have_a_name_a_type_and_a_header_even_without_rows(api: Api) -> None:
    for name, file_format in FORMATS.items():
        answer = await api.get(f"/api/v1/tickets/export?format={name}", EVA)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(file_format.media_type)
        assert (
            answer.headers["content-disposition"]
            == f'attachment; filename="tickets-{datetime.now(ZONE).date()}.{name}"'
        )
        match name:
            case "csv":
                assert commas(answer.content) == [list(DEFAULT)]
                assert answer.content.startswith(b"\xef\xbb\xbf")
            case "xlsx":
                ((header,),) = sheets(answer.content).values()
                assert list(header.values()) == list(DEFAULT)
            case "parquet":
                assert parquet(answer.content) == []
            case "json":
                assert answer.json() == {"items": []}


@requirement("A19.04", "A7.30")
async def test_everybody_gets_their_tickets_only_and_customers_nothing_internal(api: Api) -> None:
    await add_tickets(
        api.rows.owner,
        [
            {"queue_id": IT.id, "customer_id": PER.person_id, "responsible_name": "Ola", "responsible_id": OLA.id,
             "locked_by_id": BY.id, "locked_by_name": "Kari", "previous_owner_name": "Ola", "previous_owner_id": OLA.id},
            {"queue_id": IT.id, "customer_id": LISE.person_id},
            {"queue_id": UUID(int=77), "customer_id": PER.person_id},
            {"queue_id": IT.id, "customer_id": PER.person_id, "state_type": "removed"},
        ],
    )  # fmt: skip
    for who, numbers in ((KARI, ["0", "1"]), (PER, ["0", "2"]), (LISE, ["1"]), (EVA, []), (ADMIN, ["0", "1", "2"])):
        for name, read in (("csv", lambda raw: [row[0] for row in commas(raw)[1:]]),
                           ("parquet", lambda raw: [row["number"] for row in parquet(raw)])):  # fmt: skip
            assert read(await exported(api, f"format={name}&columns=number&sort=created_at", who)) == numbers, who.login
        listed = (await api.read("/tickets?sort=created_at", who))["items"]
        assert [item["number"] for item in listed] == numbers
    internal = "tags,time_units,reminder_due,locked,locked_by,locked_since,previous_owner,responsible,article_count"
    _, row, _ = commas(await exported(api, f"columns={internal}&sort=created_at", PER))
    assert row == ["", "0", "false", "false", "", "", "", "", "1"]


async def test_a_link_shows_only_tickets_that_the_reader_may_see(api: Api) -> None:
    here, hidden = await api.open(ONE, "It hums."), UUID(int=1001)
    await add_tickets(
        api.rows.owner, [{}, {"queue_id": UUID(int=77), "customer_id": LISE.person_id, "number": "secret"}]
    )
    link = TicketsLinked(other=TicketRef(id=hidden, number="secret", title="x"), kind="related", outgoing=True, by=BY)
    await api.happen(here, link)
    for who, shown in ((KARI, ""), (PER, ""), (ADMIN, "secret")):
        rows = commas(await exported(api, "columns=number,links", who))
        assert [ONE, shown] in rows, who.login


async def test_filters_and_sort_are_those_of_the_list(api: Api) -> None:
    await api.open(ONE, "It hums.")
    two = await api.open(TWO, "It smells.")
    await api.happen(two, CustomerChanged(to=CustomerRef(id=uuid4(), email="ida@x.example", name="Ida"), was=CUSTOMER))
    for asked, numbers in (("customer=ida@x.example", [TWO]), ("sort=-created_at", [TWO, ONE]), ("queue=none", [])):
        assert [row[0] for row in commas(await exported(api, f"columns=number&{asked}"))[1:]] == numbers, asked


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ("format=doc", "/query/format"), ("columns=colour", "/query/columns"), ("columns=", "/query/columns"),
        ("columns=number,number", "/query/columns"), ("columns=field.a%22b", "/query/columns"), ("colour=red", "/query/colour"),
        ("limit=5", "/query/limit"), ("cursor=x", "/query/cursor"), ("sort=colour", "/query/sort"),
        ("state=nonsense", "/query/state"), ("columns=" + ",".join(f"field.{n}" for n in range(51)), "/query/columns"),
    ],
)  # fmt: skip
async def test_bad_parameters_are_refused(api: Api, asked: str, pointer: str) -> None:
    answer = await api.get(f"/api/v1/tickets/export?{asked}")
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def all_tickets(name: str = "csv", columns: str | None = None, zone: str = "UTC") -> Wanted:
    return Wanted(
        Chosen(Scope((), (), None, everything=True), Filters(), "created_at"),
        chosen(columns),
        FORMATS[name],  # type: ignore[index]
        Names(Queues(), Configuration(), {}),
        ZoneInfo(zone),
    )


async def whole(rows: Reporting, wanted: Wanted) -> bytes:
    pieces: list[bytes] = []

    async def sink(piece: bytes) -> None:
        pieces.append(piece)

    await Exports(rows.app_url).run(uuid4(), wanted, sink)
    return b"".join(pieces)


async def many_rows(rows: Reporting, count: int) -> None:
    await add_tickets(rows.owner, [{}])
    columns = ", ".join(
        {"id": "gen_random_uuid()", "number": "'x' || n", "title": "repeat('long title ', 20)"}.get(name, name)
        for name in await column_names(rows)
    )
    await rows.owner.execute(
        f"INSERT INTO desk_v1.tickets SELECT {columns} FROM desk_v1.tickets, generate_series(1, {count}) n"
    )


async def column_names(rows: Reporting) -> list[str]:
    found = await rows.owner.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'desk_v1' AND table_name = 'tickets'"
        " ORDER BY ordinal_position"
    )
    return [row["column_name"] for row in found]


CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%'"
RUNNING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY%' AND state = 'active'"


async def no_copy(pool: Pool) -> bool:
    return not await pool.fetchval(CONNECTIONS)


async def running_or(rows: Reporting, begun: asyncio.Event) -> bool:
    return begun.is_set() or bool(await rows.pool.fetchval(RUNNING))


@pytest.mark.parametrize("name", ["csv", "json", "xlsx", "parquet"])
async def test_a_reader_who_leaves_ends_the_statement_and_frees_the_slot(
    live_desk: Reporting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    await many_rows(live_desk, 20_000)
    exports, person = Exports(live_desk.app_url), uuid4()
    begun = asyncio.Event()

    async def sink(_: bytes) -> None:
        begun.set()
        await asyncio.Event().wait()

    for _ in range(MOST_OF_A_PERSON + 1):
        begun.clear()

        running = asyncio.create_task(exports.run(person, all_tickets(name), sink))
        if name in ("csv", "json"):
            await asyncio.wait_for(begun.wait(), 30)
        else:
            await until(lambda: running_or(live_desk, begun))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await until(lambda: no_copy(live_desk.pool))
        assert not list(tmp_path.iterdir()), "temporary files are gone"


async def test_too_many_exports_of_a_person_are_refused_and_others_still_run(live_desk: Reporting) -> None:
    await many_rows(live_desk, 20_000)
    exports, person, go_on = Exports(live_desk.app_url), uuid4(), asyncio.Event()

    async def waiting(_: bytes) -> None:
        await go_on.wait()

    async def reading(_: bytes) -> None:
        pass

    running = [asyncio.create_task(exports.run(person, all_tickets(), waiting)) for _ in range(MOST_OF_A_PERSON)]
    await asyncio.sleep(0)
    with pytest.raises(Problem) as refused:
        await exports.run(person, all_tickets(), reading)
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "10")
    await exports.run(uuid4(), all_tickets(), reading)
    go_on.set()
    await asyncio.gather(*running)
    await exports.run(person, all_tickets(), reading)


async def test_customers_who_read_slowly_leave_places_for_agents(live_desk: Reporting) -> None:
    await many_rows(live_desk, 100)
    exports, go_on = Exports(live_desk.app_url), asyncio.Event()

    async def waiting(_: bytes) -> None:
        await go_on.wait()

    async def reading(_: bytes) -> None:
        pass

    async def of_customer(sink: Sink) -> None:
        await exports.run(uuid4(), all_tickets(), sink, customer=True)

    running = [asyncio.create_task(of_customer(waiting)) for _ in range(MOST_OF_CUSTOMERS)]
    await asyncio.sleep(0)
    with pytest.raises(Problem, match="exports"):
        await of_customer(reading)
    await exports.run(uuid4(), all_tickets(), reading)
    go_on.set()
    await asyncio.gather(*running)
    await of_customer(reading)


@pytest.mark.parametrize("name", ["csv", "json", "parquet", "xlsx"])
async def test_memory_does_not_depend_on_the_number_of_rows(live_desk: Reporting, name: str) -> None:
    """A slow reader: what PostgreSQL has sent and nobody has taken is bounded."""
    await many_rows(live_desk, 20_000)
    size = 0

    async def slow(piece: bytes) -> None:
        nonlocal size
        size += len(piece)
        await asyncio.sleep(0)

    tracemalloc.start()
    await Exports(live_desk.app_url).run(uuid4(), all_tickets(name, "number,title,created_at"), slow)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000
    if name in ("csv", "json"):
        assert size > 4_000_000


@pytest.mark.parametrize("name", ["csv", "json"])
async def test_an_error_in_the_middle_breaks_the_transfer(live_desk: Reporting, name: str) -> None:
    await many_rows(live_desk, 20_000)
    pieces: list[bytes] = []

    async def sink(piece: bytes) -> None:
        if not pieces:
            killed = await live_desk.pool.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'COPY%' AND pid <> pg_backend_pid()"
            )
            assert killed == 1
        pieces.append(piece)

    with pytest.raises(asyncpg.PostgresError):
        await Exports(live_desk.app_url).run(uuid4(), all_tickets(name), sink)
    assert not b"".join(pieces).endswith(b"]}\n")


@pytest.mark.parametrize("name", ["xlsx", "parquet"])
async def test_a_file_that_cannot_be_finished_has_no_end(live_desk: Reporting, name: str) -> None:
    await many_rows(live_desk, 20_000)
    pieces: list[bytes] = []

    async def sink(piece: bytes) -> None:
        pieces.append(piece)

    task = asyncio.create_task(Exports(live_desk.app_url).run(uuid4(), all_tickets(name), sink))
    await until(lambda: live_desk.pool.fetchval(RUNNING))
    await live_desk.pool.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE 'COPY%' AND pid <> pg_backend_pid()"
    )
    with pytest.raises(asyncpg.PostgresError):
        await task
    with pytest.raises(Exception):  # noqa: B017
        (sheets if name == "xlsx" else parquet)(b"".join(pieces))


async def test_tickets_can_be_named_in_an_order_of_their_own_and_rights_hold(live_desk: Reporting) -> None:
    await add_tickets(live_desk.owner, [{}, {}, {"queue_id": UUID(int=77)}, {}])

    async def tickets() -> Any:
        yield [UUID(int=1003), UUID(int=1002)]
        yield [UUID(int=1000)]

    wanted = all_tickets("json", "number")
    mine = replace(wanted.chosen, scope=Scope((UUID(int=10),), (), None))
    raw = await whole(live_desk, replace(wanted, chosen=mine, tickets=tickets))
    assert [row["number"] for row in json.loads(raw)["items"]] == ["3", "0"]


@pytest.mark.parametrize("name", ["csv", "xlsx", "parquet"])
async def test_a_client_that_drops_the_connection_ends_its_statement(api: Api, name: str) -> None:
    """Over a real connection, while PostgreSQL works and sends nothing: the statement waits for a lock."""
    routers = [exports_api.router(reader_of(api), Exports(api.rows.app_url), ZONE)]
    app = application(Health("reporting", "api"), keys=KEYS, routers=routers)
    stop, listener = asyncio.Event(), listening_socket("127.0.0.1:0")
    serving = asyncio.create_task(serve(app, listener, Health("reporting", "api"), {}, stop))
    path = f"/api/v1/tickets/export?format={name}"
    head = f"GET {path} HTTP/1.1\r\nHost: x\r\n{HEADER}: {sign(ADMIN, 'reporting', SIGNING)}\r\n\r\n"
    async with api.rows.owner.transaction():
        await api.rows.owner.execute("LOCK TABLE desk_v1.tickets IN ACCESS EXCLUSIVE MODE")
        _, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(head.encode())
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        await until(lambda: api.rows.pool.fetchval(waiting))
        writer.transport.abort()

        async def ended() -> bool:
            return not await api.rows.pool.fetchval(waiting)

        await until(ended, seconds=15)  # sooner than any time-out
    stop.set()
    await serving


def reader_of(api: Api) -> TicketReader:
    return TicketReader(api.rows.pool, api.directory, api.blobs)
