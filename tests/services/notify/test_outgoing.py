"""Waiting mails, as administrators see them and decide about them; and what delays no other mail."""

import asyncio
import contextlib
import random
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from httpx2 import ASGITransport, AsyncClient

from services.notify.sending import claims, deliveries, domain_queues, queue_monitor
from services.notify.sending.claims import Pause, PutBack
from services.notify.sending.deliveries import Postponed
from services.notify.sending.outgoing import outgoing_api
from services.notify.sending.outgoing.outgoing import Outgoing
from shared.contracts.notify import NotificationDelayed, NotificationFailed, NotificationSent
from shared.directory.copy import DirectoryCopy
from shared.http.identity import HEADER, sign
from shared.http.serving.application import application
from shared.http.serving.health import Health
from shared.rules.access import Identity
from shared.testing.documents import seed
from shared.testing.keys import KEYS, SIGNING
from shared.testing.progress import until
from tests.described import CHECKED
from tests.services.notify.desk import MailServer, Notify, sending, smtp
from tests.specs.notify.tickets import IT, IT_QUEUE

ADMIN = Identity(
    person_id=UUID(int=1), kind="admin", login="ada", name="Ada", email="ada@help.example", roles=("admin",)
)
AGENT = ADMIN.model_copy(update={"kind": "agent", "roles": ("agent",), "login": "kari"})


@dataclass
class Room:
    """An administrator's client."""

    desk: Notify
    client: AsyncClient

    async def call(self, method: str, path: str, body: Any = None, *, who: Identity = ADMIN, key: str = "") -> Any:
        headers = {HEADER: sign(who, "notify", SIGNING)} | ({"Idempotency-Key": key} if key else {})
        return await self.client.request(method, f"/api/v1/outgoing{path}", json=body, headers=headers)

    async def done(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        answer = await self.call(method, path, body, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextlib.asynccontextmanager
async def opened(desk: Notify) -> AsyncIterator[Room]:
    await seed(desk.url, IT_QUEUE)
    copy = DirectoryCopy(desk.pool, desk.url)
    await copy.load()
    routers = [outgoing_api.router(Outgoing(desk.store, "smtp", desk.store.pool), copy)]
    app = application(Health("notify", "api"), keys=KEYS, routers=routers)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://notify", event_hooks=CHECKED) as client:
        yield Room(desk, client)


async def test_waiting_mails_are_shown_in_total_by_domain_by_queue_and_in_a_list(
    desk: Notify, server: MailServer
) -> None:
    server.recipient = lambda _: "450 4.2.1 mailbox busy"
    ticket, notification = await desk.request("a@slow.example", queue=IT.id)
    async with opened(desk) as room:
        async with sending(desk, smtp(server)):

            async def tried() -> bool:
                return (await room.done("GET", ""))["last_words"] is not None

            await until(tried)
        await desk.request("b@other.example", "c@x.example")
        seen = await room.done("GET", "")
        assert (seen["waiting"], seen["paused"], seen["pauses"]) == (2, 0, [])
        assert seen["oldest_at"] < seen["next_attempt_at"]
        assert {(each["domain"], each["waiting"]) for each in seen["domains"]} == {
            ("slow.example", 1),
            ("other.example", 1),
        }
        assert [(each["queue"]["slug"], each["waiting"]) for each in seen["queues"]] == [("it", 1)]
        first = await room.done("GET", "/mails?limit=1")
        rest = await room.done("GET", f"/mails?limit=1&cursor={first['next_cursor']}")
        (item,) = first["items"]
        assert (item["id"], item["ticket"]["id"], item["domain"]) == (str(notification), str(ticket), "slow.example")
        assert item["last_words"] == "a@slow.example: 450 4.2.1 mailbox busy"
        assert (item["attempts"], item["on_its_way"], item["recipients"]) == (1, False, ["a@slow.example"])
        assert [each["recipients"] for each in rest["items"]] == [["b@other.example", "c@x.example"]]
        assert rest["next_cursor"] is None
        assert len((await room.done("GET", "/mails?queue=it"))["items"]) == 1
        assert [each["domain"] for each in (await room.done("GET", "/mails?domain=other.example"))["items"]] == [
            "other.example"
        ]


@pytest.mark.parametrize("part", [{}, {"domain": "Slow.Example"}, {"queue": "it"}])
async def test_paused_mail_waits_until_it_is_resumed_and_other_mail_does_not(
    desk: Notify, server: MailServer, part: dict[str, str]
) -> None:
    async with opened(desk) as room, sending(desk, smtp(server)) as one:
        await room.done("POST", "/pause", {**part, "reason": "they are moving"})
        held, _ = await desk.request("a@slow.example", queue=IT.id)
        if part:
            free, _ = await desk.request("b@other.example")
            assert isinstance(await desk.settled(one, free), NotificationSent)
        else:
            assert await claims.claim(desk.pool, "notify", 5) == []
        one.wake()
        seen = await room.done("GET", "")
        assert (seen["waiting"], seen["paused"], seen["next_attempt_at"]) == (1, 1, None)
        assert [(p["reason"], p["by"]["name"]) for p in seen["pauses"]] == [("they are moving", "Ada")]
        assert [item["paused"] for item in (await room.done("GET", "/mails"))["items"]] == [True]
        assert await desk.outcome(held) is None
        await room.done("POST", "/resume", part)
        one.wake()
        assert isinstance(await desk.settled(one, held), NotificationSent)
        told = (await room.done("GET", "/decisions"))["items"]
        assert [(each["action"], each["by"]["name"], each["reason"]) for each in told] == [
            ("resume", "Ada", ""), ("pause", "Ada", "they are moving")
        ]  # fmt: skip


async def test_mails_that_a_sender_holds_are_put_back_after_a_pause(desk: Notify, server: MailServer) -> None:
    server.held = asyncio.Event()
    tickets = [(await desk.request())[0] for _ in range(20)]
    async with opened(desk) as room, sending(desk, smtp(server)) as one:

        async def busy() -> bool:
            return server.asked == 5

        await until(busy)
        await room.done("POST", "/pause", {"reason": "wrong texts"})
        one.wake()

        async def given_back() -> bool:
            return [row["attempts"] for row in await desk.waiting()].count(0) == 15

        await until(given_back)
        server.held.set()

        async def arrived() -> bool:
            return len(await desk.outcomes(tickets)) == 5

        await until(arrived)
        assert len(server.received) == 5
        await room.done("POST", "/resume", {})
        one.wake()

        async def all_arrived() -> bool:
            return len(await desk.outcomes(tickets)) == 20

        await until(all_arrived)
    assert len(server.received) == 20


async def test_a_single_mail_can_be_tried_despite_a_pause(desk: Notify, server: MailServer) -> None:
    async with opened(desk) as room, sending(desk, smtp(server)) as one:
        await room.done("POST", "/pause", {"reason": "x"})
        ticket, notification = await desk.request()
        other, _ = await desk.request()
        await room.done("POST", f"/mails/{notification}/retry")
        one.wake()
        assert isinstance(await desk.settled(one, ticket), NotificationSent)
        assert await desk.outcome(other) is None


async def test_a_mail_that_was_put_back_may_still_pass_the_pause(desk: Notify) -> None:
    async with opened(desk) as room:
        await room.done("POST", "/pause", {"reason": "x"})
        _, notification = await desk.request()
        await room.done("POST", f"/mails/{notification}/retry")
    for _ in range(2):
        (claimed,) = await claims.claim(desk.pool, "notify", 5)
        assert claimed.despite_pause
        async with desk.pool.acquire() as connection:
            await claims.put_back(connection, [PutBack(claimed, 0.0, "the limit is reached")])
    (claimed,) = await claims.claim(desk.pool, "notify", 5)
    tried = Postponed(claimed, 0.0, "450 busy", None, "", datetime.now(UTC))
    async with desk.pool.acquire() as connection:
        await deliveries.postpone(connection, [tried])
    assert await claims.claim(desk.pool, "notify", 5) == []


async def test_a_mail_that_was_given_up_is_not_sent_and_its_ticket_says_who_and_why(
    desk: Notify, server: MailServer
) -> None:
    async with opened(desk) as room:
        ticket, notification = await desk.request()
        first = await room.call("POST", f"/mails/{notification}/give-up", {"reason": "wrong person"}, key="k")
        again = await room.call("POST", f"/mails/{notification}/give-up", {"reason": "wrong person"}, key="k")
        assert (first.status_code, again.status_code, again.headers["Idempotent-Replayed"]) == (200, 200, "true")
        assert first.headers["X-Consistency-Token"]
        last = (await desk.events(ticket))[-1]
        assert isinstance(last.payload, NotificationFailed)
        assert last.payload.reason == "given up by Ada: wrong person"
        assert last.actor.id == str(ADMIN.person_id)
        assert await desk.waiting() == []
        assert (await room.call("POST", f"/mails/{notification}/retry")).status_code == 404
        (told,) = (await room.done("GET", "/decisions"))["items"]
        assert (told["action"], told["mail"], told["ticket"]) == ("give_up", str(notification), str(ticket))


async def test_a_mail_that_is_being_sent_cannot_be_retried_or_given_up(desk: Notify, server: MailServer) -> None:
    server.held = asyncio.Event()
    _, notification = await desk.request()
    async with opened(desk) as room, sending(desk, smtp(server)):

        async def busy() -> bool:
            return server.asked == 1

        await until(busy)
        for path, body in (("retry", None), ("give-up", {"reason": "x"})):
            assert (await room.call("POST", f"/mails/{notification}/{path}", body)).status_code == 409
        server.held.set()


async def test_invalid_selections_and_other_roles_are_refused(desk: Notify) -> None:
    async with opened(desk) as room:
        for body, pointer in (
            ({"reason": "x", "queue": "none"}, "/queue"),
            ({"reason": "x", "domain": "a b"}, "/domain"),
            ({"reason": "x", "domain": "x.example", "queue": "it"}, "/domain"),
            ({"reason": " "}, "/reason"),
            ({}, "/reason"),
        ):
            answer = await room.call("POST", "/pause", body)
            assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
        assert (await room.call("POST", "/resume", {})).status_code == 409
        assert (await room.call("POST", f"/mails/{uuid4()}/retry")).status_code == 404
        for method, path in (
            ("GET", ""),
            ("GET", "/mails"),
            ("GET", "/decisions"),
            ("POST", f"/mails/{uuid4()}/retry"),
        ):
            assert (await room.call(method, path, who=AGENT)).status_code == 403
        assert (await room.call("POST", "/pause", {"reason": "x"}, who=AGENT)).status_code == 403
        assert (await room.done("GET", ""))["pauses"] == []


PAUSE = (
    "INSERT INTO notify.pauses (pause, queue_id, domain, by_id, by_name, reason) VALUES ($1, $2, $3, $1, 'Ada', 'x')"
)


@pytest.mark.parametrize(
    ("queue", "domain", "full"),
    [(None, "big.example", []), (IT.id, None, []), (None, None, ["big.example"])],
    ids=["a paused domain", "a paused queue", "a full domain"],
)
async def test_a_claim_does_not_read_a_backlog_that_may_not_leave(
    desk: Notify, queue: UUID | None, domain: str | None, full: list[str]
) -> None:
    """100 000 mails are neither read, nor do they delay later mails."""
    await desk.pool.execute(
        """INSERT INTO notify.deliveries (notification, ticket_id, version, domain, queue_id, due_at)
           SELECT gen_random_uuid(), gen_random_uuid(), 1, 'big.example', $1,
                  now() - interval '1 hour' + n * interval '1 ms'
             FROM generate_series(1, 100000) n""",
        IT.id,
    )
    if not full:
        await desk.pool.execute(PAUSE, uuid4(), queue, domain)
    wanted = {(await desk.request(f"{n}@small{n % 3}.example"))[1] for n in range(10)}
    for statement in (claims.CLAIM, claims.CLAIM_BESIDE):
        async with desk.pool.acquire() as connection:
            transaction = connection.transaction()
            await transaction.start()
            arguments = (64, timedelta(seconds=60), full, claims.LOOK)
            lines = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {statement}", *arguments)
            await transaction.rollback()
        plan = "\n".join(row[0] for row in lines)
        assert "Seq Scan on deliveries" not in plan, plan
        read = re.findall(r"on deliveries\b.*actual time=\S+ rows=([\d.]+)|Rows Removed by \D+: (\d+)", plan)
        assert all(float(rows or removed) <= claims.LOOK + 1 for rows, removed in read), plan
    claimed = await claims.claim(desk.pool, "notify", 64, full)
    assert {each.request.notification for each in claimed} == wanted


async def test_a_claim_takes_the_oldest_mails_that_may_leave(desk: Notify, monkeypatch: pytest.MonkeyPatch) -> None:
    dice = random.Random(7)
    domains, queues = ["a.example", "b.example", "c.example"], [None, IT.id, UUID(int=12)]
    for n in range(40):
        await desk.request(f"{n}@{dice.choice(domains)}", queue=dice.choice(queues))
    parts = [(None, None), *((None, domain) for domain in domains), *((queue, None) for queue in queues[1:])]
    for _ in range(60):
        await desk.pool.execute("DELETE FROM notify.pauses")
        pauses = [] if dice.random() < 0.2 else dice.sample(parts[dice.choice([0, 1, 1]) :], dice.randrange(1, 4))
        await desk.pool.executemany(PAUSE, [(uuid4(), queue, domain) for queue, domain in pauses])
        await desk.pool.execute(
            """UPDATE notify.deliveries
                  SET due_at = now() + (random() - 0.8) * interval '1 hour', despite_pause = random() < 0.1,
                      on_its_way = false"""
        )
        full = dice.sample(domains, dice.choice([0, 0, 1, 2]))
        paused = [Pause(queue, domain, "Ada", "x") for queue, domain in pauses]
        rows = await desk.pool.fetch("SELECT * FROM notify.deliveries WHERE due_at <= now() ORDER BY due_at")
        free = [
            row["notification"]
            for row in rows
            if row["domain"] not in full
            and (row["despite_pause"] or not any(each.holds(row["queue_id"], row["domain"]) for each in paused))
        ]
        most = dice.choice([1, 3, 64])
        monkeypatch.setattr(claims, "LOOK", dice.choice([0, 2, 10, 1_000]))
        claimed = await claims.claim(desk.pool, "notify", most, full)
        assert {each.request.notification for each in claimed} == set(free[:most])


async def test_a_slow_domain_does_not_delay_others(desk: Notify, server: MailServer) -> None:
    """Mails beyond the limit of their domain wait, and are sent once."""
    server.held, server.held_for = asyncio.Event(), "@slow.example"
    stuck = [(await desk.request(f"{n}@slow.example"))[0] for n in range(200)]
    quick = [(await desk.request(f"{n}@quick.example"))[0] for n in range(30)]
    async with sending(desk, smtp(server)):

        async def quick_ones_arrived() -> bool:
            return len(await desk.outcomes(quick)) == 30

        await until(quick_ones_arrived)
        assert await desk.outcomes(stuck) == []
        assert sum(row["on_its_way"] for row in await desk.waiting()) == domain_queues.MOST_HELD
        assert server.asked <= 30 + smtp(server).limits.default.parallel
        server.held.set()

        async def all_arrived() -> bool:
            return await desk.waiting() == []

        await until(all_arrived)
    assert len(server.received) == len({mail["Message-ID"] for mail in server.mails()}) == 230
    assert {told.attempts for told in await desk.outcomes(stuck) if isinstance(told, NotificationSent)} == {1}


async def test_a_mail_may_pass_a_pause_in_a_full_and_throttled_domain(
    desk: Notify, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits, is put back during the backoff, and is sent before all paused mail. Each mail is sent once."""
    monkeypatch.setattr(domain_queues, "BACKOFF", (5.0,))  # longer than it takes to look
    server.held = asyncio.Event()
    tickets = [(await desk.request(f"{n}@slow.example"))[0] for n in range(140)]
    last, wanted = await desk.request("wanted@slow.example")

    async def row() -> dict[str, Any]:
        return next(each for each in await desk.waiting() if each["notification"] == wanted)

    async def on_their_way(count: int) -> bool:
        return [each["on_its_way"] for each in await desk.waiting()].count(True) == count

    async def waits_for_its_turn() -> bool:
        return bool((await row())["on_its_way"])

    async def given_back() -> bool:
        found = await row()
        waits = (found["last_error"], found["on_its_way"])
        return waits == ("a server throttles mail to slow.example", False)

    async with opened(desk) as room, sending(desk, smtp(server)) as one:
        await until(lambda: on_their_way(domain_queues.MOST_HELD))
        assert not await waits_for_its_turn()
        await room.done("POST", "/pause", {"domain": "slow.example", "reason": "x"})
        one.wake()
        await until(lambda: on_their_way(5))
        await room.done("POST", f"/mails/{wanted}/retry")
        one.wake()
        await until(waits_for_its_turn)
        server.data = lambda _: "421 4.7.0 slow down"
        server.held.set()
        await until(given_back)
        assert ((await row())["attempts"], (await row())["despite_pause"]) == (0, True)
        server.data = lambda _: None
        assert isinstance(await desk.settled(one, last), NotificationSent)
        assert [envelope.rcpt_tos for envelope in server.received] == [["wanted@slow.example"]]
        await room.done("POST", "/resume", {"domain": "slow.example"})
        await desk.hurry()
        one.wake()

        async def all_arrived() -> bool:
            return len(await desk.outcomes(tickets)) == 140

        await until(all_arrived)
    assert len(server.received) == len({mail["Message-ID"] for mail in server.mails()}) == 141


async def test_throttling_slows_only_the_throttled_domain(desk: Notify, server: MailServer) -> None:
    asked: list[str] = []

    def answer(who: str) -> str | None:
        asked.append(who)
        return "421 4.7.0 try again later" if who.endswith("@big.example") else None

    server.recipient = answer
    for n in range(40):
        await desk.request(f"{n}@big.example")
    others = [(await desk.request(f"{n}@small.example"))[0] for n in range(20)]
    async with sending(desk, smtp(server)):

        async def others_arrived() -> bool:
            return len(await desk.outcomes(others)) == 20

        await until(others_arrived)
    assert len([who for who in asked if who.endswith("@big.example")]) <= 10
    waiting = await desk.waiting()
    assert len(waiting) == 40
    assert sum(row["attempts"] for row in waiting) <= 10


@pytest.mark.parametrize(
    ("words", "remaining"),
    [("421 4.3.2 closing", None), ("451 4.7.1 slow down", ["b@big.example"])],
)
async def test_throttling_of_one_recipient_slows_that_recipients_domain(
    desk: Notify, server: MailServer, words: str, remaining: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either the other recipients have the mail, or nobody has because a 421 closes the channel (RFC 5321, section 3.8)."""
    monkeypatch.setattr(domain_queues, "BACKOFF", (3600.0,))
    asked: list[str] = []

    def answer(who: str) -> str | None:
        asked.append(who)
        return words if who.endswith("@big.example") else None

    server.recipient = answer
    await desk.request("a@small.example", "b@big.example", "c@small.example")
    async with sending(desk, smtp(server)) as one:

        async def told() -> bool:
            return bool((await desk.waiting())[0]["last_error"])

        await until(told)
        (row,) = await desk.waiting()
        assert (row["last_error"], row["remaining"]) == (f"b@big.example: {words}", remaining)
        assert one._queues.backoff_left("big.example") and not one._queues.backoff_left("small.example")
        await desk.request("d@big.example")
        other, _ = await desk.request("e@small.example")
        one.wake()
        assert isinstance(await desk.settled(one, other), NotificationSent)
    assert "d@big.example" not in asked


async def test_an_unavailable_server_counts_against_no_mail_and_few_mails_probe_it(
    desk: Notify, server: MailServer
) -> None:
    tickets = [(await desk.request())[0] for _ in range(50)]
    async with sending(desk, smtp(MailServer(port=1))) as one:

        async def noticed() -> bool:
            return one.server.unavailable

        await until(noticed)
    waiting = await desk.waiting()
    assert len(waiting) == 50
    assert all(row["attempts"] == row["unreached"] for row in waiting)
    assert sum(row["attempts"] for row in waiting) <= 16
    await desk.hurry()
    async with sending(desk, smtp(server)):

        async def all_arrived() -> bool:
            return len(await desk.outcomes(tickets)) == 50

        await until(all_arrived)


async def test_a_mail_that_could_not_be_tried_for_long_is_recorded_as_delayed_once(
    desk: Notify, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_monitor, "LOOK_SECONDS", 0.02)
    async with opened(desk) as room, sending(desk, smtp(server)) as one:
        await room.done("POST", "/pause", {"reason": "they are moving"})
        ticket, _ = await desk.request()
        await desk.pool.execute("UPDATE notify.deliveries SET requested_at = now() - interval '16 minutes'")
        one.wake()

        async def told() -> list[NotificationDelayed]:
            return [e.payload for e in await desk.events(ticket) if isinstance(e.payload, NotificationDelayed)]

        (delayed,) = await until(told)
        assert delayed.reason == "outgoing mail is paused by Ada: they are moving"
        assert [row["told_late"] for row in await desk.waiting()] == [True]
        await room.done("POST", "/resume", {})
        one.wake()
        assert isinstance(await desk.settled(one, ticket), NotificationSent)
        assert len(await told()) == 1
