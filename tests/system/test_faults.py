"""Faults of a whole system of real processes. docs/testing.md lists all faults and their tests."""

import asyncio
import contextlib
import os
import shutil
import signal
import smtplib
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import pytest

from deploy.local.home import CHECKOUT, SERVICES
from services.notify.sending.claims import LEASE_SECONDS
from shared.messaging import topics
from shared.testing.progress import until
from tests.chaos.checks import Checks
from tests.chaos.load import Acknowledged
from tests.chaos.scenes import of_instance
from tests.system.desk import Answer, Desk
from tests.system.harness import System, ready

OUTAGE_SECONDS = float(os.environ.get("LEDGERDESK_OUTAGE_SECONDS", "16"))
"""How long Kafka is away: first stopped with open connections, then dead. Set LEDGERDESK_OUTAGE_SECONDS for longer."""
STORES = ("intake", "routing", "notify", "gateway")
ENOUGH = 16
"""How many requests and mails show that the load works, or is refused."""


def refused_for_now(answer: Answer) -> bool:
    """Whether it is a correct 503: a problem document with Retry-After."""
    return answer.status == 503 and answer.is_problem and int(answer.headers["Retry-After"]) >= 1


@dataclass
class Refusals:
    """How many requests and mails were refused for now."""

    count: int = 0


async def delivered(desk: Desk, mail: EmailMessage, refusals: Refusals | None = None) -> None:
    """Delivers a mail, again and again until it is accepted, as a mail server does."""
    refusals = refusals or Refusals()
    while True:
        try:
            await desk.mail_in(mail.as_bytes())
        except smtplib.SMTPResponseException as error:
            assert 400 <= error.smtp_code < 500, error
        except smtplib.SMTPRecipientsRefused as error:
            assert all(400 <= code < 500 for code, _ in error.recipients.values()), error
        except (OSError, smtplib.SMTPServerDisconnected):
            pass  # nothing listens, or the connection was lost
        else:
            return
        refusals.count += 1
        await asyncio.sleep(0.1)


async def insisted(ask: Callable[[], Awaitable[Answer]], refusals: Refusals) -> Answer:
    """Repeats a request until it succeeds. Fails if the answer is neither success nor a refusal for now."""
    while (answer := await ask()).status not in (200, 201):
        assert refused_for_now(answer), answer
        refusals.count += 1
        await asyncio.sleep(0.1)
    return answer


async def notified(desk: Desk, mail: EmailMessage) -> list[dict[str, Any]]:
    """The history of a mail's ticket; empty until it is in its queue and its receipt is recorded as sent."""
    ticket = await desk.ticket_of(mail)
    history = await desk.history(ticket) if ticket is not None else []
    known = {each["type"] for each in history}
    return history if known >= {"helpdesk.TicketQueued.v1", "helpdesk.NotificationSent.v1"} else []


def whole(history: list[dict[str, Any]]) -> None:
    """Checks that a mail's ticket went through every service once: streams without gaps, causes before effects."""
    kinds = Counter(each["type"].split(".")[1] for each in history)
    assert kinds == {"TicketOpened": 1, "TicketQueued": 1, "NotificationRequested": 1, "NotificationSent": 1}, history
    seen: set[str] = set()
    versions: Counter[str] = Counter()
    for each in history:
        versions[each["source"]] += 1
        assert each["version"] == versions[each["source"]], history
        assert each["cause"] is None or each["cause"] in seen, history
        seen.add(each["id"])


async def quiet(desk: Desk) -> bool:
    """Whether no outbox and no delivery waits. Fails if anything is parked or halted."""
    for service in STORES:
        if await desk.rows(service, "SELECT 1 FROM es.outbox LIMIT 1"):
            return False
    for service in ("intake", "routing", "notify", "reporting"):
        parked = await desk.rows(service, "SELECT consumer, reason FROM messaging.parked")
        halted = await desk.rows(service, "SELECT consumer, reason FROM messaging.halted")
        assert not parked + halted, (service, parked, halted)
    return not await desk.rows("notify", "SELECT 1 FROM notify.deliveries LIMIT 1")


# API dies before / after its commit


@pytest.mark.parametrize(("point", "replayed"), [("intake.before_commit", None), ("intake.after_commit", "true")])
async def test_intake_dies_and_the_retry_through_the_gateway_opens_one_ticket(
    system: System, desk: Desk, point: str, replayed: str | None
) -> None:
    key = uuid.uuid4().hex
    system.restart("intake", failpoints=f"{point}=exit")
    assert refused_for_now(await desk.open(key=key))
    assert system["intake"].was_killed
    system.start("intake")
    answer = await desk.open(key=key)
    assert (answer.status, answer.headers.get("Idempotent-Replayed")) == (201, replayed)
    assert (await desk.open(key=key)).body == answer.body
    assert await until(lambda: tickets_of(desk)) == [answer.body["id"]]


async def tickets_of(desk: Desk) -> list[str]:
    """The tickets opened in this queue, from the log."""
    queue = (
        "SELECT stream_id FROM es.events WHERE type = 'helpdesk.TicketOpened.v1' AND data -> 'queue' ->> 'slug' = $1"
    )
    return [str(row["stream_id"]) for row in await desk.rows("intake", queue, desk.queue)]


@pytest.mark.parametrize(("point", "replayed"), [("append.before_commit", None), ("append.after_commit", "true")])
async def test_routing_dies_and_the_retry_through_the_gateway_answers_once(
    system: System, desk: Desk, point: str, replayed: str | None
) -> None:
    ticket, key = await desk.opened(), uuid.uuid4().hex
    await desk.done("POST", f"/tickets/{ticket}/lock", {})
    system.restart("routing", failpoints=f"{point}=exit")
    reply = {"text": "Have you tried to switch it off?"}
    assert refused_for_now(await desk.call("POST", f"/tickets/{ticket}/reply", reply, key=key))
    assert system["routing"].was_killed
    system.start("routing")
    answer = await desk.call("POST", f"/tickets/{ticket}/reply", reply, key=key)
    assert (answer.status, answer.headers.get("Idempotent-Replayed")) == (200, replayed)
    again = await desk.call("POST", f"/tickets/{ticket}/reply", reply, key=key)
    assert again.body == answer.body
    found = await desk.rows(
        "routing", "SELECT 1 FROM es.events WHERE stream_id = $1 AND type = 'helpdesk.AgentReplied.v1'", ticket
    )
    assert len(found) == 1


# Relays, consumers and senders die, all at once


@pytest.mark.parametrize(
    "points",
    [
        {
            "intake": "relay.before_send",
            "routing": "consumer.before_commit",
            "notify": "consumer.before_commit",
            "reporting": "consumer.before_commit",
        },
        {
            "intake": "relay.after_ack",
            "routing": "consumer.after_commit",
            "notify": "notify.after_send",
            "reporting": "consumer.after_commit",
        },
        {"intake": "relay.after_delete", "routing": "relay.after_ack", "notify": "consumer.after_commit"},
    ],
    ids=["before", "after", "later"],
)
async def test_a_mail_gets_one_receipt_though_every_service_dies_on_the_way(
    system: System, desk: Desk, points: dict[str, str]
) -> None:
    await until(lambda: quiet(desk))
    # No other event may be on its way, not even the new queue: a consumer would die at that one, before the mail.
    assert await Checks(of_instance(system.instance), Acknowledged()).quiet(60)
    for name, point in points.items():
        system[name].kill()
        system[name].start(f"{point}=exit")
    await until(lambda: up(system, *points))
    mail = desk.mail()
    died: set[str] = set()

    async def through() -> list[dict[str, Any]]:
        died.update(system.revive())
        await desk.rows(
            "notify", "UPDATE notify.deliveries SET due_at = now() WHERE attempts > 0"
        )  # no wait for a lease
        with contextlib.suppress(KeyError):
            return await notified(desk, mail)
        return []

    sending = asyncio.create_task(delivered(desk, mail))
    await until(through, seconds=60)
    await sending

    async def all_died() -> bool:
        # A relay with a failpoint after the acknowledgment dies when the event is in the topic already.
        died.update(system.revive())
        return died == set(points)

    await until(all_died)
    await until(lambda: up(system, *points))
    await until(lambda: quiet(desk))
    whole(await notified(desk, mail))
    assert len(await desk.answered(mail)) == 1


async def up(system: System, *names: str) -> bool:
    return all([await asyncio.to_thread(ready, system.instance.url_of(name)) for name in names])


# Kafka down


async def test_without_kafka_everything_is_accepted_and_worked_through_later(system: System, desk: Desk) -> None:
    known = await desk.opened()
    await desk.done("POST", f"/tickets/{known}/note", {"text": "before"})
    mails: list[EmailMessage] = []
    tickets: list[str] = []

    async def work_for(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            mails.append(desk.mail())
            await desk.mail_in(mails[-1].as_bytes())
            answer = await desk.open()
            assert answer.status == 201, answer
            tickets.append(answer.body["id"])
            await asyncio.sleep(0.2)

    system["kafka"].freeze()
    await work_for(OUTAGE_SECONDS / 2)
    system["kafka"].kill()
    await work_for(OUTAGE_SECONDS / 2)
    # Commands work on tickets that routing knows. For a ticket that is still on its way, the answer is 503.
    await desk.done("POST", f"/tickets/{known}/reply", {"text": "in the middle of it"})
    assert refused_for_now(await desk.call("POST", f"/tickets/{tickets[0]}/note", {"text": "too early"}))
    for name in SERVICES:
        assert system[name].runs, system[name].tail()
        assert ready(system.instance.url_of(name)), name
    system.start("kafka")

    async def caught_up() -> bool:
        mailed = [await desk.ticket_of(mail) for mail in mails]
        known_to_all = await desk.take_commands(*tickets, *(each for each in mailed if each))
        return known_to_all and await quiet(desk) and len(await desk.tickets()) == len(tickets) + len(mails) + 1

    await until(caught_up, seconds=180)
    await desk.done("POST", f"/tickets/{tickets[0]}/note", {"text": "now"})
    for mail in mails:
        whole(await until(lambda mail=mail: notified(desk, mail)))  # type: ignore[misc]
    receipts = Counter(str(each["In-Reply-To"]).strip() for each in desk.sent())
    assert [receipts[str(mail["Message-ID"])] for mail in mails] == [1] * len(mails)


# PostgreSQL restarted under load


@dataclass
class Load:
    """Customers and agents who try again until they succeed, and what the system has accepted from them."""

    desk: Desk
    tickets: list[str] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)
    replies: list[tuple[str, str]] = field(default_factory=list)
    refusals: Refusals = field(default_factory=Refusals)
    over: bool = False

    async def callers(self) -> None:
        while not self.over:
            key = uuid.uuid4().hex
            answer = await insisted(lambda key=key: self.desk.open(key=key), self.refusals)  # type: ignore[misc]
            ticket = answer.body["id"]
            self.tickets.append(ticket)
            reply = {"text": f"About {ticket}"}
            path = f"/tickets/{ticket}/reply"
            ask = lambda path=path, reply=reply, key=key: self.desk.call("POST", path, reply, key=key)  # noqa: E731
            answer = await insisted(ask, self.refusals)
            self.replies.append((ticket, answer.body["article_id"]))

    async def mail_server(self) -> None:
        while not self.over:
            mail = self.desk.mail()
            await delivered(self.desk, mail, self.refusals)
            self.mails.append(mail)

    @property
    def done(self) -> int:
        return len(self.replies) + len(self.mails)


@contextlib.asynccontextmanager
async def load(desk: Desk) -> AsyncIterator[Load]:
    """Runs the load while the body runs. Then waits until the last requests are answered."""
    made = Load(desk)
    tasks = [asyncio.create_task(each()) for each in [made.callers] * 4 + [made.mail_server] * 2]
    try:
        yield made
    finally:
        made.over = True
        async with asyncio.timeout(60):
            await asyncio.gather(*tasks)


async def at_least(count: Callable[[], int], wanted: int) -> bool:
    return count() >= wanted


@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "restarted"])
async def test_postgres_restarts_under_load_and_nothing_acknowledged_is_lost(
    system: System, desk: Desk, how: signal.Signals
) -> None:
    async with load(desk) as busy:
        await until(lambda: at_least(lambda: busy.done, ENOUGH))
        await asyncio.to_thread(system["postgres"].stop, how)
        await until(lambda: at_least(lambda: busy.refusals.count, ENOUGH))
        await asyncio.to_thread(system.start, "postgres")
        before = busy.done
        await until(lambda: at_least(lambda: busy.done - before, ENOUGH), seconds=60)
    # A mail that was claimed by a statement whose answer was lost waits for its lease to end.
    await until(lambda: quiet(desk), seconds=LEASE_SECONDS + 60)
    assert all(system[name].runs for name in SERVICES)
    mailed = [await desk.ticket_of(mail) for mail in busy.mails]
    assert sorted(await tickets_of(desk)) == sorted([*busy.tickets, *map(str, mailed)])
    await until(lambda: listed(desk, {*busy.tickets, *map(str, mailed)}))
    for ticket, article in busy.replies:
        found = (
            "SELECT data -> 'message' ->> 'id' AS article FROM es.events"
            " WHERE stream_id = $1 AND type = 'helpdesk.AgentReplied.v1'"
        )
        assert [row["article"] for row in await desk.rows("routing", found, ticket)] == [article]


async def listed(desk: Desk, tickets: set[str]) -> bool:
    return set(await desk.tickets()) == tickets


# The topic is lost


async def test_a_lost_topic_is_republished_from_the_stores_with_equal_rows(system: System, desk: Desk) -> None:
    mail, ticket = desk.mail(), await desk.opened()
    await desk.mail_in(mail.as_bytes())
    await desk.done("POST", f"/tickets/{ticket}/reply", {"text": "On it."})
    await until(lambda: notified(desk, mail))
    await until(lambda: left(desk, ticket))
    await until(lambda: quiet(desk))
    await until(lambda: verified(system))
    before = await shown(desk)
    for name in (*SERVICES, "kafka"):
        system[name].kill()
    shutil.rmtree(system.instance.kafka.data)
    system.instance.kafka.create()
    system.start("kafka")
    await topics.ensure(system.instance.kafka.admin, system.instance.kafka_passwords)
    postgres = system.instance.postgres
    stores = [f"{name}={postgres.url('postgres', postgres.password, name)}" for name in SERVICES]
    told = subprocess.run(
        [sys.executable, "-m", "shared.messaging.republish", *stores],
        cwd=CHECKOUT,
        env={
            **os.environ,
            "LEDGERDESK_KAFKA_BOOTSTRAP": system.instance.kafka.admin.bootstrap,
            "LEDGERDESK_KAFKA_ADMIN_PASSWORD": system.instance.kafka.password,
            "LEDGERDESK_EVENT_SECRET": system.instance.event_secret,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    counts = [(await desk.rows(store, "SELECT count(*) AS n FROM es.events"))[0]["n"] for store in STORES]
    assert told.stdout == f"{sum(counts)} events republished\n"
    system.start()
    late = desk.mail()
    await delivered(desk, late)
    whole(await until(lambda: notified(desk, late), seconds=60))
    await until(lambda: quiet(desk))
    # Independent events of different services may have changed places. The runbook says to rebuild.
    for name in ("desk", "stats", "reports"):
        for action in ("build", "promote"):
            assert await projections(system, action, name)
    await until(lambda: verified(system))
    after = await shown(desk)
    assert {ticket: after[ticket] for ticket in before} == before
    assert len(await desk.answered(mail)) == 1
    # A generation that nothing fills would never be quiet again.
    for row in await desk.rows(
        "reporting", "SELECT name, generation FROM projections.generations WHERE state = 'former'"
    ):
        assert await projections(system, "drop", row["name"], str(row["generation"]))


async def left(desk: Desk, ticket: str) -> bool:
    """Whether the history says that a mail of the ticket was sent."""
    return "helpdesk.NotificationSent.v1" in {each["type"] for each in await desk.history(ticket)}


async def projections(system: System, *arguments: str) -> bool:
    """Runs an operator's command for a projection set. Returns whether it succeeded."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.reporting", "projections", *arguments),
        cwd=CHECKOUT,
        env=dict(system["reporting"].environment),
        stdout=subprocess.PIPE,
    )
    out, _ = await process.communicate()
    if process.returncode:
        print(out.decode())
    return process.returncode == 0


async def verified(system: System) -> bool:
    """Whether every projection set equals a new fold of the topic."""
    return all([await projections(system, "verify", name) for name in ("desk", "stats", "reports")])


async def shown(desk: Desk) -> dict[str, Any]:
    """All that people see of the queue's tickets: page, articles, and history in the order of each stream."""
    found: dict[str, Any] = {}
    for ticket in await desk.tickets():
        events = sorted(await desk.history(ticket), key=lambda each: (each["source"], each["version"]))
        page, articles = [await desk.done("GET", f"/tickets/{ticket}{part}") for part in ("", "/articles")]
        found[ticket] = (page, articles, events)
    return found


# Blob store gone


async def test_without_the_blob_store_nothing_that_needs_it_is_accepted(system: System, desk: Desk) -> None:
    long = await desk.open(body="x" * 100_000)
    mail, blobs = desk.mail(), system.instance.home.path / "blobs"
    await until(lambda: listed(desk, {long.body["id"]}))
    away = blobs.rename(blobs.with_name("away"))
    try:
        with pytest.raises(smtplib.SMTPDataError) as told:
            await desk.mail_in(mail.as_bytes())
        assert told.value.smtp_code == 451
        envelope = {"X_Envelope_From": "per@customer.example", "X_Envelope_To": desk.address}
        answer = await desk.call("POST", "/mail", raw=mail.as_bytes(), Content_Type="message/rfc822", **envelope)
        assert refused_for_now(answer), answer
        assert refused_for_now(await desk.open(body="x" * 100_000))
        assert refused_for_now(await desk.call("GET", f"/tickets/{long.body['id']}/articles"))
        assert (await desk.open()).status == 201  # a short text needs no blob
    finally:
        away.rename(blobs)
    assert await desk.ticket_of(mail) is None
    await desk.mail_in(mail.as_bytes())
    whole(await until(lambda: notified(desk, mail)))
    articles = await desk.done("GET", f"/tickets/{long.body['id']}/articles")
    assert articles["items"][0]["text"] == "x" * 100_000
