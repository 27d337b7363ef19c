"""Analysts: their views, that these survive promotions, and that their role reads nothing else."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import asyncpg
import pytest

from deploy.databases import CONNECTIONS, provide_analyst
from services.reporting.analytics import time_limit, views
from services.reporting.generations.projection_sets import projection_sets
from services.reporting.generations.rebuilding import up_to_date
from services.reporting.live.presence import CHANNEL, Presence
from shared.contracts.directory import Company, Person, Queue, TicketField
from shared.database import OwnConnection
from shared.projections import sets
from shared.testing.documents import seed
from shared.testing.progress import until
from tests.conftest import Databases
from tests.histories.desk import Desk
from tests.histories.folding import fill_live
from tests.services.reporting.reporting_database import Reporting

ROOT = Path(__file__).parents[3]
PINNED = ROOT / "tests" / "contracts" / "analytics_columns.txt"
NAMES = (
    "tickets_v1",
    "events_v1",
    "articles_v1",
    "state_spans_v1",
    "owner_spans_v1",
    "deadlines_v1",
    "time_entries_v1",
    "queues_v1",
    "people_v1",
)
COLUMNS = """
SELECT c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) AS line
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relnamespace = 'analytics'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
"""
UNDESCRIBED = """
SELECT c.relname, a.attname
  FROM pg_attribute a
  JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relnamespace = 'analytics'::regnamespace AND a.attnum > 0
   AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid, 'pg_class') IS NULL)
"""
PASSWORD = "of the analysts of this test"  # pragma: allowlist secret
DESK = Desk()


def address(url: str, **parts: str) -> str:
    """The same server, with another user or database."""
    known = urlsplit(url)
    host = f"{known.hostname}:{known.port}"
    user = parts.get("user", f"{known.username}:{known.password}")
    return urlunsplit(known._replace(netloc=f"{user}@{host}", path=f"/{parts.get('database', known.path[1:])}"))


@pytest.fixture
async def provided(postgres: Databases, live_desk: Reporting) -> AsyncIterator[str]:
    """A reporting database with the role of analysts; their URL."""
    database, app, owner = (
        urlsplit(live_desk.app_url).path[1:],
        urlsplit(live_desk.app_url).username,
        urlsplit(live_desk.owner_url).username,
    )
    assert app is not None and owner is not None
    superuser = postgres.superuser_url
    await provide_analyst(superuser, database, owner, app, PASSWORD)
    await views.up_to_date(live_desk.owner)
    yield address(live_desk.app_url, user=f"analyst:{PASSWORD.replace(' ', '%20')}")


@pytest.fixture
async def analyst(provided: str) -> AsyncIterator[OwnConnection]:
    connection = await asyncpg.connect(provided)
    yield connection
    await connection.close(timeout=5)


async def test_the_columns_are_for_ever(live_desk: Reporting) -> None:
    """A change of a view is a view with the next number: the lines of the file are never changed, only added."""
    found = sorted(row["line"] for row in await live_desk.owner.fetch(COLUMNS))
    assert found == PINNED.read_text("utf-8").splitlines()
    assert {line.partition(" ")[0] for line in found} >= set(NAMES)


async def test_every_view_and_column_is_described_in_the_database_and_in_the_document(live_desk: Reporting) -> None:
    assert await live_desk.owner.fetch(UNDESCRIBED) == []
    text = (ROOT / "docs" / "analysts.md").read_text("utf-8")
    for line in PINNED.read_text("utf-8").splitlines():
        view, column, _ = line.split(" ", 2)
        section = text.partition(f"### `{view}`\n")[2].partition("\n#")[0]
        assert re.search(rf"^\| `{column}` \|", section, re.MULTILINE), f"{view}.{column} is not in docs/analysts.md"


async def test_the_views_survive_promotion_and_the_way_back(live_desk: Reporting, analyst: OwnConnection) -> None:
    await fill_live(live_desk.pool, 5)
    before = await analyst.fetchval("SELECT count(*) FROM tickets_v1")
    assert before >= 5
    for name in ("desk", "reports", "stats"):
        which = projection_sets(ZoneInfo("UTC"))[name]
        generation = await sets.begin(live_desk.owner, which, live_desk.app_url)
        await sets.promote(live_desk.owner, which, generation, live_desk.app_url)
        for view in NAMES:
            await analyst.fetch(f"SELECT * FROM {view}")
        assert await analyst.fetchval("SELECT count(*) FROM tickets_v1") == 0
        former = await sets.previous(live_desk.owner, which)
        await sets.promote(live_desk.owner, which, former, live_desk.app_url)
        if name == "desk":
            assert await analyst.fetchval("SELECT count(*) FROM tickets_v1") == before
            await sets.drop(live_desk.owner, which, generation)
            await sets.promote(live_desk.owner, which, former, live_desk.app_url)
            return


async def test_a_promotion_that_fails_leaves_the_views(live_desk: Reporting, analyst: OwnConnection) -> None:
    which = projection_sets(ZoneInfo("UTC"))["desk"]
    with pytest.raises(sets.CannotChange):
        await sets.promote(live_desk.owner, which, 99, live_desk.app_url)
    assert await analyst.fetch("SELECT * FROM tickets_v1") == []


async def test_a_long_query_of_an_analyst_delays_a_promotion_and_no_list(
    live_desk: Reporting, analyst: OwnConnection
) -> None:
    which = projection_sets(ZoneInfo("UTC"))["desk"]
    generation = await sets.begin(live_desk.owner, which, live_desk.app_url)
    async with analyst.transaction():
        await analyst.fetch("SELECT * FROM tickets_v1")
        promotion = asyncio.create_task(sets.promote(live_desk.owner, which, generation, live_desk.app_url))

        async def waits() -> bool:
            return bool(
                await live_desk.pool.fetchval(
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND database ="
                    " (SELECT oid FROM pg_database WHERE datname = current_database()))"
                )
            )

        await until(waits)
        assert await live_desk.pool.fetch("SELECT * FROM desk.tickets") == []
        assert not promotion.done()
    await promotion


async def test_views_of_an_older_version_are_made_again_and_others_stay(
    live_desk: Reporting, analyst: OwnConnection
) -> None:
    made = "SELECT oid FROM pg_namespace WHERE nspname = 'analytics'"
    before = await live_desk.owner.fetchval(made)
    await views.up_to_date(live_desk.owner)
    assert await live_desk.owner.fetchval(made) == before
    await live_desk.owner.execute("COMMENT ON SCHEMA analytics IS 'of an older version'")
    await views.up_to_date(live_desk.owner)
    assert await live_desk.owner.fetchval(made) != before
    assert await analyst.fetch("SELECT * FROM tickets_v1") == []


async def test_migrate_makes_them(postgres: Databases, monkeypatch: pytest.MonkeyPatch, live_desk: Reporting) -> None:
    await live_desk.owner.execute("DROP SCHEMA analytics CASCADE")
    monkeypatch.setenv("LEDGERDESK_DATABASE_URL", live_desk.app_url)
    monkeypatch.setenv("LEDGERDESK_DATABASE_OWNER_URL", live_desk.owner_url)
    await up_to_date(list(projection_sets(ZoneInfo("UTC")).values()))
    assert await live_desk.owner.fetchval("SELECT count(*) FROM analytics.tickets_v1") == 0


PER = "Per Øystein Hansen"


async def test_no_column_holds_a_text_or_a_name_or_address_of_a_customer(
    live_desk: Reporting, analyst: OwnConnection
) -> None:
    await seed(
        live_desk.app_url,
        *(
            Queue(id=each.id, slug=each.slug, name=each.name, address=f"{each.slug}@help.example")
            for each in DESK.queues
        ),
        Person(id=UUID(int=5), login="per-oy", name=PER, email="per@firm1.example", roles=("customer",)),
        Person(id=DESK.agents[0].id, login="eva", name="Eva", email="eva@help.example", roles=("agent",)),
        Company(id=UUID(int=6), slug="firm-1", name="Firm One", domains=("firm1.example",)),
        TicketField(id=UUID(int=7), slug="note", name="Note", kind="text"),
        TicketField(id=UUID(int=8), slug="room", name="Room", kind="choice", choices=("B 214", "B 215")),
        TicketField(id=UUID(int=9), slug="count", name="Count", kind="number"),
        TicketField(id=UUID(int=10), slug="day", name="Day", kind="date"),
        TicketField(id=UUID(int=11), slug="flag", name="Flag", kind="flag"),
    )
    await fill_live(live_desk.pool, 60, desk=DESK)
    secret = "call me at home 12345678"  # pragma: allowlist secret
    fields = {"note": secret, "room": "B 214", "count": 3, "day": "2026-11-29", "flag": True, "unknown": secret}
    odd = {"note": secret, "room": secret, "count": secret, "day": secret, "flag": secret}
    await live_desk.pool.execute("UPDATE desk_v1.tickets SET fields = $1", odd)
    await live_desk.pool.execute(
        "UPDATE desk_v1.tickets SET fields = $1 WHERE id = (SELECT min(id::text)::uuid FROM desk_v1.tickets)", fields
    )
    hidden = await live_desk.pool.fetchval(
        """
        SELECT array_agg(DISTINCT v) FROM (
            SELECT unnest(ARRAY[title, customer_name, customer_email]) AS v FROM desk.tickets
             UNION SELECT unnest(ARRAY[subject, left(text, 40), author, message_id]) FROM desk.articles
             UNION SELECT jsonb_array_elements(p::jsonb -> 'to') ->> 'email' FROM desk.articles, LATERAL (SELECT people AS p)
        ) AS t WHERE length(v) > 3"""
    )
    texts = {each for each in hidden if not each.startswith("Agent ")} | {PER, "per-oy", secret, "@", "The printer"}
    assert len(texts) > 100
    seen = ""
    for view in NAMES:
        rows = await analyst.fetch(f"SELECT v::text AS row FROM {view} v")
        assert rows or view == "deadlines_v1", view
        seen += "\n".join(row["row"] for row in rows)
    assert [each for each in texts if each in seen] == []
    kept = await analyst.fetchval("SELECT fields::text FROM tickets_v1 WHERE fields IS NOT NULL")
    assert set(re.findall(r'"(\w+)":', kept)) == {"room", "count", "day", "flag"}
    assert [row["login"] for row in await analyst.fetch("SELECT * FROM people_v1")] == ["eva"]


async def test_spans_and_times_are_those_of_the_reports(live_desk: Reporting, analyst: OwnConnection) -> None:
    await fill_live(live_desk.pool, 60)
    tickets = await analyst.fetchval("SELECT count(*) FROM tickets_v1 WHERE state_type <> 'removed'")
    running = await analyst.fetchval("SELECT count(*) FROM state_spans_v1 WHERE ended_at IS NULL")
    assert running == tickets
    assert await analyst.fetchval(
        "SELECT bool_and(s.state = t.state) FROM state_spans_v1 s JOIN tickets_v1 t USING (ticket_id) WHERE ended_at IS NULL"
    )
    assert await analyst.fetchval(
        "SELECT bool_and(s.owner_id = t.owner_id) FROM owner_spans_v1 s JOIN tickets_v1 t USING (ticket_id)"
        " WHERE ended_at IS NULL"
    )
    gaps = """
    SELECT count(*) FROM (SELECT started_at, lag(ended_at) OVER (PARTITION BY ticket_id ORDER BY started_at) AS before
                            FROM state_spans_v1) s WHERE started_at <> before"""
    assert await analyst.fetchval(gaps) == 0
    accounted = await analyst.fetchval("SELECT sum(time_units) FROM time_entries_v1")
    assert accounted > 0
    events = await analyst.fetchval("SELECT count(*) FROM events_v1")
    assert events == await live_desk.pool.fetchval("SELECT count(*) FROM desk.history")


WRITES = [
    "INSERT INTO analytics.queues_v1 (queue) VALUES ('x')",
    "UPDATE analytics.queues_v1 SET retired = true",
    "DELETE FROM analytics.tickets_v1",
    "CREATE TABLE t (a int)",
    "CREATE TABLE public.t (a int)",
    "CREATE TABLE analytics.t (a int)",
    "CREATE TEMP TABLE t (a int)",
    "CREATE TEMP VIEW v AS SELECT 1",
    "SELECT 1 AS a INTO TEMP t",
    "CREATE SCHEMA s",
    "CREATE VIEW analytics.v AS SELECT 1",
    "CREATE FUNCTION analytics.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION public.f() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN 1; END'",
    "DO $$ BEGIN PERFORM 1; END $$",
    "CREATE ROLE other",
    "ALTER ROLE analyst SUPERUSER",
    "ALTER ROLE analyst CONNECTION LIMIT -1",
    "DROP VIEW analytics.tickets_v1",
    "REVOKE SELECT ON ALL TABLES IN SCHEMA desk FROM PUBLIC",
    "SET ROLE reporting",
    "SET SESSION AUTHORIZATION postgres",
    "SET temp_file_limit = -1",
    "SET session_replication_role = replica",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_lock(1, 2)",
    "SELECT pg_notify('directory_changed', '')",
    "SELECT pg_logical_emit_message(false, 'x', 'x')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT * FROM pg_ls_dir('.')",
    "COPY (SELECT 1) TO '/tmp/x'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "SELECT pg_reload_conf()",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_ls_waldir()",
    "SELECT pg_switch_wal()",
    "BEGIN; LOCK TABLE analytics.tickets_v1 IN ACCESS EXCLUSIVE MODE",
    "VACUUM desk_v1.tickets",
    "TABLE desk.tickets",
    "TABLE desk_v1.tickets",
    "TABLE desk_v1.articles",
    "TABLE desk.public_articles",
    "TABLE reports.facts",
    "TABLE stats.time",
    "TABLE directory.documents",
    "TABLE directory.identities",
    "SELECT directory.company_of('x@y.example')",
    "TABLE messaging.checkpoints",
    "TABLE messaging.parked",
    "TABLE projections.generations",
    "TABLE es.events",
    "TABLE public.migrations",
]


@pytest.mark.parametrize("statement", WRITES)
async def test_an_analyst_can_do_nothing_else(analyst: OwnConnection, statement: str) -> None:
    """Although a session can lift the defaults of the role."""
    for lifted in ("default_transaction_read_only = off", "statement_timeout = 0", "search_path = desk, public"):
        await analyst.execute(f"SET {lifted}")
    with pytest.raises(asyncpg.PostgresError) as refused:
        await analyst.execute(statement)
    allowed = (
        asyncpg.InsufficientPrivilegeError,
        asyncpg.ObjectNotInPrerequisiteStateError,  # a view that cannot be written
        asyncpg.UndefinedTableError,  # a schema that does not exist in this database
        asyncpg.InvalidSchemaNameError,
        asyncpg.InvalidParameterValueError,
    )
    assert isinstance(refused.value, allowed), repr(refused.value)


async def test_an_analyst_hears_and_forges_no_presence(live_desk: Reporting, analyst: OwnConnection) -> None:
    """Every role may listen and notify, so what is in a notification is sealed."""
    presence = Presence(live_desk.pool, live_desk.app_url, bytes(range(32)))
    heard: list[Any] = []
    await analyst.add_listener(CHANNEL, lambda *told: heard.append(told))
    ticket, forged, person = uuid4(), uuid4(), uuid4()
    listening = asyncio.create_task(presence.run())

    async def shown() -> bool:
        await presence.announce(ticket, person, "Kari", "viewing")
        return bool(presence.people(ticket))

    await until(shown)
    said = {"ticket": str(forged), "person": str(person), "name": "Forged", "doing": "replying"}
    await analyst.execute("SET default_transaction_read_only = off")
    await analyst.execute(f"NOTIFY {CHANNEL}, '{json.dumps(said)}'")

    async def came() -> bool:
        return bool(heard)

    await until(came)  # its own
    await presence.announce(ticket, person, "Kari", "replying")

    async def followed() -> bool:
        return presence.people(ticket)[0]["doing"] == "replying"

    await until(followed)
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert presence.people(forged) == []
    assert "Kari" not in str(heard) and str(person) not in str([told[3] for told in heard if "Forged" not in told[3]])


async def test_other_databases_are_closed_and_connections_are_few(postgres: Databases, provided: str) -> None:
    _, other = postgres.database("gateway")
    owner = await asyncpg.connect(address(postgres.superuser_url, database=urlsplit(other).path[1:]))
    await owner.execute(f'REVOKE ALL ON DATABASE "{urlsplit(other).path[1:]}" FROM PUBLIC')  # as `provide` does
    await owner.close()
    for database in ("postgres", "template1", urlsplit(other).path[1:]):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(address(provided, database=database))
    opened: list[Any] = []
    try:
        with pytest.raises(asyncpg.TooManyConnectionsError):
            for _ in range(CONNECTIONS + 1):
                opened.append(await asyncpg.connect(provided))
    finally:
        for each in opened:
            await each.close()
    assert len(opened) == CONNECTIONS


async def test_the_role_reads_by_default_and_for_a_minute(analyst: OwnConnection) -> None:
    shown = [
        await analyst.fetchval(f"SHOW {name}") for name in ("statement_timeout", "transaction_read_only", "search_path")
    ]
    assert shown == ["1min", "on", "analytics"]
    await analyst.execute("SET statement_timeout = '20ms'")
    with pytest.raises(asyncpg.QueryCanceledError):
        await analyst.fetch("SELECT count(*) FROM generate_series(1, 1000000000)")


async def test_a_query_that_has_lifted_its_time_out_is_cut(live_desk: Reporting, analyst: OwnConnection) -> None:
    await analyst.execute("SET statement_timeout = 0")
    heavy = asyncio.create_task(analyst.fetch("SELECT count(*) FROM generate_series(1, 100000000000)"))

    async def cut() -> bool:
        return await time_limit.cut(live_desk.pool, query=0, grace=0.05, transaction=300) > 0

    await until(cut)
    with pytest.raises((asyncpg.QueryCanceledError, asyncpg.PostgresConnectionError, asyncpg.AdminShutdownError)):
        await heavy
    assert await time_limit.cut(live_desk.pool) == 0


async def test_a_transaction_that_stays_open_is_ended_and_nobody_elses(
    live_desk: Reporting, analyst: OwnConnection
) -> None:
    await analyst.execute("SET idle_in_transaction_session_timeout = 0")
    await analyst.execute("BEGIN")
    await analyst.fetch("SELECT * FROM tickets_v1")
    async with live_desk.pool.acquire() as ours, ours.transaction():
        await ours.fetchval("SELECT 1")

        async def ended() -> bool:
            return await time_limit.cut(live_desk.pool, transaction=0.01) > 0

        await until(ended)
        assert await ours.fetchval("SELECT 1") == 1

    async def closed() -> bool:
        return analyst.is_closed()

    await until(closed)


async def test_without_the_role_nothing_is_cut_and_no_view_is_missing(live_desk: Reporting) -> None:
    assert await time_limit.cut(live_desk.pool, query=0, grace=0) == 0
    assert await live_desk.owner.fetchval("SELECT count(*) FROM analytics.queues_v1") == 0


QUESTIONS = sorted((ROOT / "deploy" / "analytics").glob("*.sql"))
BOARD = ROOT / "deploy" / "observability" / "grafana" / "dashboards" / "tickets.json"


async def test_every_sample_question_gives_an_answer(live_desk: Reporting, analyst: OwnConnection) -> None:
    await seed(
        live_desk.app_url,
        *(Queue(id=each.id, slug=each.slug, name=each.name) for each in DESK.queues),
        *(
            Person(id=each.id, login=f"agent{n}", name=each.name, email=f"agent{n}@help.example", roles=("agent",))
            for n, each in enumerate(DESK.agents)
        ),
    )
    await fill_live(live_desk.pool, 100, desk=DESK)
    newest = await analyst.fetchval("SELECT max(updated_at) FROM tickets_v1")
    assert len(QUESTIONS) >= 8
    for path in QUESTIONS:
        text = path.read_text("utf-8")
        assert re.match(r"-- [A-Z][^\n]+\.\n", text), f"{path.name} has no description"
        # The made-up year ends in the past: its last day is today.
        rows = await analyst.fetch(text.replace("current_date", f"date '{newest:%Y-%m-%d}'"))
        assert rows, path.name
    for panel in json.loads(BOARD.read_text("utf-8"))["panels"]:
        (target,) = panel["targets"]
        query = re.sub(r"\$__timeFilter\(([\w.]+)\)", r"\1 BETWEEN '2000-01-01' AND '2100-01-01'", target["rawSql"])
        rows = await analyst.fetch(query)
        assert rows and panel["description"], panel["title"]
