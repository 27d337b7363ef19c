"""What one person may store in a day over the API, on a real process and database."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from services.intake.opening.quotas import Kind, Quota, Quotas
from shared.database import Pool, connect_pool
from shared.http.serving.failures import problem_of
from shared.rules.access import Identity
from shared.rules.refusals import Refusal
from tests.services.intake.opening.test_uploads import sent, upload
from tests.services.intake.reception import ADMIN, KARI, PER, Reception

NEARLY_ALL = """
INSERT INTO intake.used (person_id, kind, hour, amount) VALUES ($1, $2, date_trunc('hour', now()) - interval '3 hours', $3)
"""
MIB = 1024 * 1024


def customer() -> Identity:
    """A new customer, whose quota is unused."""
    name = f"c{uuid.uuid4().hex[:8]}"
    update = {"person_id": uuid.uuid4(), "login": name, "email": f"{name}@customer.example", "company": None}
    return PER.model_copy(update=update)


def agent(scopes: tuple[str, ...] | None = None) -> Identity:
    return KARI.model_copy(update={"person_id": uuid.uuid4(), "scopes": scopes})


@pytest.fixture
async def pool(intake: Reception) -> AsyncIterator[Pool]:
    made = await connect_pool(intake.url, smallest=1, largest=8)
    yield made
    await made.close()


async def refused(quotas: Quotas, who: Identity, kind: Kind, amount: int = 1) -> int:
    """The status of a refusal, 0 for none."""
    try:
        await quotas.take(who, kind, amount)
    except Refusal as refusal:
        problem = problem_of(refusal)
        if problem.status == 429:
            assert 0 < int(problem.headers["Retry-After"]) <= 24 * 3600
        return problem.status
    return 0


def used_up(intake: Reception, who: Identity, kind: Kind, amount: int) -> None:
    intake.rows(NEARLY_ALL, who.person_id, kind, amount)


async def test_each_person_has_a_quota_of_their_own(pool: Pool) -> None:
    quotas = Quotas(pool, Quota(tickets=3), Quota())
    one, other = customer(), customer()
    assert [await refused(quotas, one, "tickets") for _ in range(5)] == [0, 0, 0, 429, 429]
    assert await refused(quotas, other, "tickets") == 0
    assert await refused(quotas, one, "messages") == 0, "0 means any number"


async def test_several_processes_and_requests_at_once_share_it(pool: Pool) -> None:
    processes = [Quotas(pool, Quota(tickets=10), Quota(tickets=10)) for _ in range(4)]
    for who in (customer(), agent()):
        answers = await asyncio.gather(*(refused(each, who, "tickets") for each in processes for _ in range(10)))
        assert Counter(answers) == {0: 10, 429: 30}


async def test_what_was_taken_a_day_ago_no_longer_counts(pool: Pool) -> None:
    quotas, who = Quotas(pool, Quota(bytes=1000), Quota()), customer()
    assert await refused(quotas, who, "bytes", 1000) == 0 and await refused(quotas, who, "bytes", 1) == 429
    await pool.execute("UPDATE intake.used SET hour = hour - interval '20 hours' WHERE person_id = $1", who.person_id)
    assert await refused(quotas, who, "bytes", 1) == 429
    await pool.execute("UPDATE intake.used SET hour = hour - interval '5 hours' WHERE person_id = $1", who.person_id)
    assert await refused(quotas, who, "bytes", 1) == 0
    await pool.execute("UPDATE intake.used SET hour = hour - interval '5 days' WHERE person_id = $1", who.person_id)
    await quotas.purge()
    assert await pool.fetchval("SELECT count(*) FROM intake.used WHERE person_id = $1", who.person_id) == 0


async def test_more_than_a_days_quota_at_once_is_too_large(pool: Pool) -> None:
    quotas, who = Quotas(pool, Quota(bytes=1000), Quota()), customer()
    assert await refused(quotas, who, "bytes", 1001) == 413
    assert await refused(quotas, who, "bytes", 1000) == 0


@pytest.mark.parametrize("scopes", [None, ("write",)])
async def test_agents_have_a_larger_quota_and_few_rows(pool: Pool, scopes: tuple[str, ...] | None) -> None:
    quotas, who = Quotas(pool, Quota(tickets=1), Quota(tickets=5_000)), agent(scopes)
    for _ in range(20):
        await quotas.take(who, "tickets")
    assert await pool.fetchval("SELECT sum(amount) FROM intake.used WHERE person_id = $1", who.person_id) == 20
    taken = Quotas(pool, Quota(), Quota(tickets=5_000))
    assert await refused(taken, who, "tickets", 4_980) == 0 and await refused(taken, who, "tickets") == 429


def test_a_customers_tickets_and_messages_are_bounded(intake: Reception) -> None:
    who = customer()
    body = {"subject": "x", "body": "x"}
    ticket = intake.call("POST", "/tickets", body, who=who).body["id"]
    used_up(intake, who, "tickets", 98)
    key = str(uuid.uuid4())
    assert intake.call("POST", "/tickets", body, who=who, Idempotency_Key=key).status == 201
    refusal = intake.call("POST", "/tickets", body, who=who)
    assert refusal.status == 429 and int(refusal.headers["Retry-After"]) > 0
    again = intake.call("POST", "/tickets", body, who=who, Idempotency_Key=key)
    assert again.status == 201 and again.headers["Idempotent-Replayed"] == "true", "a repeat takes nothing"
    assert intake.call("POST", f"/tickets/{ticket}/message", {"text": "more"}, who=who).status == 200
    used_up(intake, who, "messages", 999)
    assert intake.call("POST", f"/tickets/{ticket}/message", {"text": "more"}, who=who).status == 429


def test_a_customers_files_are_bounded_by_bytes_and_number(intake: Reception) -> None:
    who = customer()
    large = [upload(intake, sent(content=bytes(MIB)), who=who).status for _ in range(4)]
    assert large == [201] * 4
    used_up(intake, who, "bytes", 94 * MIB)
    assert upload(intake, sent(content=bytes(2 * MIB + 1)), who=who).status == 429
    small = [upload(intake, sent(content=b"x"), sent(content=b"y"), who=who).status for _ in range(5)]
    assert small == [201] * 4 + [429], "each of them counts for a quarter of a MiB"
    before = len(list((intake.blobs / "uploads").iterdir()))
    assert upload(intake, sent(content=b"x"), who=who).status == 429
    assert intake.call("POST", "/tickets", {"subject": "x", "body": "long" * 1000}, who=who).status == 429
    assert len(list((intake.blobs / "uploads").iterdir())) == before
    assert upload(intake, sent(content=bytes(3 * MIB)), who=KARI).status == 201, "an agent's share is larger"


def test_uploads_at_once_do_not_pass_together(intake: Reception) -> None:
    who = customer()
    used_up(intake, who, "bytes", 98 * MIB)
    with ThreadPoolExecutor(8) as threads:
        answers: list[Any] = list(
            threads.map(lambda _: upload(intake, sent(content=bytes(MIB)), who=who).status, range(8))
        )
    assert Counter(answers) == {201: 2, 429: 6}


def test_an_administrator_has_the_quota_of_an_agent(intake: Reception) -> None:
    boss = ADMIN.model_copy(update={"person_id": uuid.uuid4()})
    used_up(intake, boss, "tickets", 100_000)
    body = {"subject": "x", "body": "x", "customer": {"email": "a@b.example"}, "channel": "phone"}
    assert intake.call("POST", "/tickets", body, who=boss).status == 429
