"""What must hold when the system is quiet again: in the stores, the topic, the projections and the mails that left."""

import asyncio
import json
import mailbox
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts.topics import ALL, PARTITIONS, TICKETS
from shared.messaging.access.account import KafkaAdmin
from tests.chaos import rules
from tests.chaos.load import Acknowledged
from tests.chaos.streams import Stream, Told

STORES = ("intake", "routing", "notify", "gateway")
EVERY = (*STORES, "reporting")
WAITING = {
    "notify": "SELECT (SELECT count(*) FROM notify.deliveries) + (SELECT count(*) FROM notify.closings)"
    " + (SELECT count(*) FROM notify.held_notices) AS n",
    "intake": "SELECT count(*) AS n FROM intake.claims WHERE NOT announced",
    "routing": "SELECT (SELECT count(*) FROM routing.timers WHERE due_at < now() + interval '30 seconds')"
    " + (SELECT count(*) FROM routing.idle WHERE due_at < now() + interval '30 seconds')"
    " + (SELECT count(*) FROM routing.matches WHERE parked_at IS NULL)"
    " + (SELECT count(*) FROM routing.recounts WHERE finished_at IS NULL) AS n",
}
"""Work that a service still has to do by itself: mails and notices that wait, identified customers, timers due soon,
triggers that have matched, clocks to count anew."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where the parts of the checked system are.

    `database` returns the superuser's URL of a database, `verify` whether a projection set equals a fold of the log.
    """

    database: Callable[[str], str]
    kafka: KafkaAdmin
    sent: Path
    verify: Callable[[str], bool]


class Checks:
    """Counts what was checked and collects what is wrong.

    `streams`: live streams that were open all the time, of somebody who may see every ticket.
    """

    def __init__(self, scene: Scene, seen: Acknowledged, streams: Sequence[Stream] = ()) -> None:
        self.scene, self.seen, self.streams = scene, seen, streams
        self.counts: dict[str, int] = {}
        self.wrong: list[str] = []

    async def database(self, name: str) -> asyncpg.Connection:
        return await asyncpg.connect(self.scene.database(name))

    async def query(self, name: str, sql: str, *arguments: Any) -> list[Any]:
        connection = await self.database(name)
        try:
            return list(await connection.fetch(sql, *arguments))
        finally:
            await connection.close()

    def expect(self, what: str, count: int, wrong: list[Any]) -> None:
        self.counts[what] = count
        self.wrong += [f"{what}: {each}" for each in wrong[:10]]

    async def quiet(self, seconds: float = 240.0) -> bool:
        """Waits until outboxes are empty, no service has work left, and every consumer has reached the topic's end."""
        return await _eventually(self._is_quiet, seconds)

    async def _is_quiet(self) -> bool:
        try:
            for store in STORES:
                if (await self.query(store, "SELECT count(*) AS n FROM es.outbox"))[0]["n"]:
                    return False
            for store, left in WAITING.items():
                if (await self.query(store, left))[0]["n"]:
                    return False
            ends = await self._ends()
            for name in ("intake", "routing", "notify", "reporting"):
                for row in await self.query(name, "SELECT topic, partition, next_offset FROM messaging.checkpoints"):
                    if row["next_offset"] < ends[TopicPartition(row["topic"], row["partition"])]:
                        return False
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    async def _ends(self) -> dict[TopicPartition, int]:
        consumer = AIOKafkaConsumer(**self.scene.kafka.options)
        await consumer.start()
        try:
            return dict(await consumer.end_offsets([TopicPartition(t, p) for t in ALL for p in range(PARTITIONS)]))
        finally:
            await consumer.stop()

    async def verdict(self) -> bool:
        """Waits until all is quiet, runs every check, and prints what was counted and what is wrong."""
        if not await self.quiet():
            self.wrong.append(
                "the system does not become quiet: outboxes, deliveries or consumers still lag after four minutes"
            )
        await self.run()
        for what, count in self.counts.items():
            print(f"  {count:>7}  {what}")
        for each in self.wrong:
            print(f"  WRONG  {each}", file=sys.stderr)
        print("everything holds" if not self.wrong else f"{len(self.wrong)} violations")
        return not self.wrong

    async def run(self) -> None:
        """Every check, one after the other."""
        self.expect("answers to callers, each of a kind that may come", self.seen.tries, self.seen.refused)
        await self._acknowledged_is_in_the_log_once()
        await self._streams_have_no_gaps()
        await self._topic_has_everything_in_order()
        await self._merges_are_on_both_sides_once()
        await self._timers_fired_once()
        await self._clocks_are_told_once()
        await self._rules_acted_once()
        await self._notices_are_given_once()
        await self._one_receipt_for_each_mail()
        await self._nothing_parked()
        await self._projections_equal_the_log()
        await self._streams_told_every_change_once()

    async def _acknowledged_is_in_the_log_once(self) -> None:
        opened = await self.query(
            "intake",
            "SELECT stream_id::text AS id, data->'message'->>'message_id' AS mail"
            "  FROM es.events WHERE type = 'helpdesk.TicketOpened.v1'",
        )
        by_mail = Counter(row["mail"] for row in opened)
        by_ticket = Counter(row["id"] for row in opened)
        self.expect(
            "acknowledged mails, each one ticket",
            len(self.seen.mails),
            [(m, by_mail[m]) for m in self.seen.mails if by_mail[m] != 1],
        )
        self.expect(
            "acknowledged tickets, each opened once",
            len(self.seen.tickets),
            [(t, by_ticket[t]) for t in self.seen.tickets if by_ticket[t] != 1],
        )
        extra = [mail for mail, count in by_mail.items() if mail is not None and count != 1]
        self.expect("mails in the log, none twice", len(by_mail), extra)
        articles = Counter(
            row["article"]
            for row in await self.query(
                "routing",
                "SELECT data->'message'->>'id' AS article"
                "  FROM es.events WHERE type IN ('helpdesk.AgentReplied.v1', 'helpdesk.NoteAdded.v1')",
            )
        )
        wrong = [(ticket, article) for ticket, article in self.seen.articles if articles[article] != 1]
        self.expect("acknowledged replies and notes, each in the log once", len(self.seen.articles), wrong)

    async def _merges_are_on_both_sides_once(self) -> None:
        rows = await self.query(
            "routing",
            "SELECT stream_id::text AS here, type, coalesce(data->'into'->>'id', data->'other'->>'id') AS there"
            "  FROM es.events WHERE type IN ('helpdesk.TicketMerged.v1', 'helpdesk.TicketAbsorbed.v1')",
        )
        sides = Counter((row["type"].split(".")[1], row["here"], row["there"]) for row in rows)
        wrong = [
            (one, into)
            for one, into in self.seen.merges
            if sides["TicketMerged", one, into] != 1 or sides["TicketAbsorbed", into, one] != 1
        ]
        self.expect("acknowledged merges, each on both sides once", len(self.seen.merges), wrong)

    async def _timers_fired_once(self) -> None:
        rows = await self.query(
            "routing",
            "SELECT stream_id::text AS id FROM es.events"
            " WHERE type = 'helpdesk.StateChanged.v1' AND data->>'fired_at' IS NOT NULL",
        )
        fired = Counter(row["id"] for row in rows)
        wrong = [(ticket, fired[ticket]) for ticket in self.seen.timers if fired[ticket] != 1]
        self.expect("tickets that were to close by themselves, each closed once", len(self.seen.timers), wrong)

    async def _clocks_are_told_once(self) -> None:
        count, wrong = rules.clocks(await self._logged(), rules.now())
        self.expect("warnings and breaches of clocks, each at its time, once, none missing", count, wrong)

    async def _rules_acted_once(self) -> None:
        """Nothing that a rule was to do is missing or was done twice, and turns were fair."""
        logged = await self._logged()
        names = {
            row["id"]: row["slug"].removeprefix("chaos-")
            for row in await self.query("routing", rules.DOCUMENTS, "trigger")
        }
        people = {row["slug"]: UUID(row["id"]) for row in await self.query("routing", rules.DOCUMENTS, "person")}
        found = rules.acts(logged, names)
        wrong = rules.difference(rules.expected_acts(logged) + rules.expected_idle(logged), found)
        self.expect("acts of rules, each once for its cause, none missing", found.total(), wrong)
        turns = sum(count for (name, _, _), count in found.items() if name == "turns")
        self.expect("tickets given in turn, evenly, none to who is away", turns, rules.unfair(logged, names, people))
        left = await self.query("routing", "SELECT ticket_id::text, name, reason FROM routing.matches")
        self.expect("matches of rules that are left", len(left), [dict(row) for row in left])
        suspended = await self.query("routing", "SELECT trigger_id::text, reason FROM routing.suspended_triggers")
        self.expect("rules that were suspended", len(suspended), [dict(row) for row in suspended])

    async def _notices_are_given_once(self) -> None:
        rows = await self.query(
            "notify",
            "SELECT data->>'cause' AS cause, data->>'kind' AS kind, person"
            "  FROM es.events CROSS JOIN LATERAL jsonb_array_elements_text(data::jsonb->'people') AS person"
            " WHERE type = 'helpdesk.NoticeGiven.v1'",
        )
        given = Counter((row["cause"], row["kind"], row["person"]) for row in rows)
        self.expect("notices, each once for a person and a cause", len(rows), [e for e, n in given.items() if n != 1])

    async def _logged(self) -> list[rules.Logged]:
        return [rules.Logged.of(row) for row in await self.query("routing", rules.EVENTS)]

    async def _streams_have_no_gaps(self) -> None:
        for store in STORES:
            rows = await self.query(
                store,
                "SELECT s.stream_id::text AS id, s.version, count(e.*) AS n, max(e.version) AS top FROM es.streams s"
                " LEFT JOIN es.events e USING (stream_id) GROUP BY s.stream_id",
            )
            self.expect(
                f"streams of {store}, without gaps",
                len(rows),
                [r["id"] for r in rows if not r["version"] == r["n"] == r["top"]],
            )

    async def _topic_has_everything_in_order(self) -> None:
        stored: set[str] = set()
        for store in STORES:
            sql = (
                "SELECT event_id::text AS id FROM es.events JOIN es.streams USING (stream_id) WHERE category = 'ticket'"
            )
            stored |= {row["id"] for row in await self.query(store, sql)}
        seen: set[str] = set()
        versions: dict[tuple[str, str], int] = defaultdict(int)
        duplicates, wrong = 0, []
        consumer = AIOKafkaConsumer(**self.scene.kafka.options, auto_offset_reset="earliest")
        await consumer.start()
        try:
            partitions = [TopicPartition(TICKETS, p) for p in range(PARTITIONS)]
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            while any([await consumer.position(p) < ends[p] for p in partitions]):
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    for record in records:
                        event = json.loads(record.value)
                        stream = event["source"], event["subject"]
                        if event["id"] in seen:
                            duplicates += 1
                            continue
                        seen.add(event["id"])
                        if event["streamversion"] != versions[stream] + 1:
                            wrong.append(f"{stream} version {event['streamversion']} after {versions[stream]}")
                        versions[stream] = event["streamversion"]
                        cause = event.get("causationid")
                        if cause in stored and cause not in seen:
                            wrong.append(f"{event['id']} came before its cause {cause}")
        finally:
            await consumer.stop()
        wrong += [f"{each} is not in the topic" for each in stored - seen] + [
            f"{each} is in no store" for each in seen - stored
        ]
        self.expect("events of tickets, all in the topic, in order, no effect before its cause", len(seen), wrong)
        self.counts["repeats in the topic, recognised"] = duplicates

    async def _one_receipt_for_each_mail(self) -> None:
        def read() -> list[Any]:
            return [m for m in mailbox.Maildir(self.scene.sent, create=False) if m["Auto-Submitted"]]

        left = await asyncio.to_thread(read)
        receipts = Counter(" ".join(str(mail["In-Reply-To"]).split()) for mail in left)
        wrong = [(mail, receipts[mail]) for mail in self.seen.mails if receipts[mail] != 1]
        self.expect("receipts, one for each mail's ticket", len(left), wrong)

    async def _nothing_parked(self) -> None:
        for name in ("intake", "routing", "notify", "reporting"):
            rows = await self.query(name, "SELECT consumer, stream::text, reason FROM messaging.parked")
            rows += await self.query(name, "SELECT consumer, reason FROM messaging.halted")
            self.expect(f"parked or halted in {name}", len(rows), [dict(row) for row in rows])

    async def _projections_equal_the_log(self) -> None:
        for name in ("desk", "stats", "reports"):
            equal = await asyncio.to_thread(self.scene.verify, name)
            self.expect(
                f"projection set {name} equals a fold of the log", 1, [] if equal else ["it differs, see above"]
            )

    async def _streams_told_every_change_once(self) -> None:
        rows = await self.query(
            "reporting", "SELECT ticket_id::text AS ticket, type, count(*) AS n FROM desk.history GROUP BY 1, 2"
        )
        expected: Told = Counter({(row["ticket"], row["type"]): row["n"] for row in rows})
        for n, stream in enumerate(self.streams):
            wrong = await asyncio.to_thread(stream.differences, expected)
            what = f"events on live stream {n}, which connected {stream.connections} times, each once"
            self.expect(what, stream.told.total(), wrong)


async def _eventually(probe: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not await probe():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.3)
    return True
