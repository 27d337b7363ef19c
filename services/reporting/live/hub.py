"""Tells every stream what is new, and what it has missed: once per change for all streams of this process."""

import asyncio
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Never
from uuid import UUID

import orjson

from services.reporting.feed.feed import Feed
from services.reporting.feed.follower import Follower, Watch
from services.reporting.feed.merging import Change
from services.reporting.feed.place import Place, UnknownPlace
from services.reporting.feed.sealed_places import SealedPlaces
from services.reporting.live.counts import QueueCounts
from services.reporting.live.presence import Presence
from services.reporting.live.rights import RightsOfListeners
from services.reporting.live.sight import Facts
from services.reporting.live.subscriptions import Link, Listener, Subscription, covers, further, has
from services.reporting.live.ticket_updates import TicketUpdates, Told
from services.reporting.live.updates import NOTICE_GIVEN, View, data, view
from services.reporting.notices.notice_list import NoticeList
from shared.database import Pool
from shared.directory.copy import DirectoryCopy
from shared.rules.access import Identity
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within

PAGE = 400
PAST_PAGE = 200
AT_ONCE = 4
"""Places in the past that are read before new changes come again."""
MOST_BEHIND = 20_000
"""Events. A stream that is further behind gets `reset`: reading the lists anew is less than that many messages."""
TICK_SECONDS = 1.0
AT_SECONDS = 5.0
IDLE_SECONDS = 60.0


Given = Mapping[tuple[UUID, int], Mapping[UUID, str]]
"""Notices as the stream tells them, by entry of a history and by person."""


class Hub:
    """A background task of every process that serves.

    Messages are queued without an await between the check of the rights and the last stream, so that all streams of a
    process have the same order, and nothing is sent by rights of before.
    """

    def __init__(
        self,
        pool: Pool,
        directory: DirectoryCopy,
        feed: Feed,
        follower: Follower,
        places: SealedPlaces,
        presence: Presence,
        notices: NoticeList,
    ) -> None:
        self.directory, self.feed, self.follower, self.places = directory, feed, follower, places
        self.presence, self.counts, self.notices = presence, QueueCounts(pool), notices
        self.rights = RightsOfListeners(pool, directory)
        self.updates = TicketUpdates(pool, directory)
        self.links: set[Link] = set()
        self.heartbeat = Heartbeat()
        self._place: Place | None = None
        """How far the streams that have joined are."""
        self._behind: dict[Subscription, None] = {}
        self._ahead: set[Subscription] = set()
        self._watched: dict[UUID, Facts | None] = {}
        """Of the tickets whose presence somebody wants; None for one that does not exist."""
        self._woken = asyncio.Event()
        self._ending = False
        self._counted = self._said_place = 0.0
        presence.changed = self._woken.set

    # What links call. None of it awaits.

    def add(self, link: Link) -> None:
        self.links.add(link)
        if self._ending:
            link.end()

    def remove(self, link: Link) -> None:
        for number in list(link.subscriptions):
            self.close(link, number)
        self.links.discard(link)

    def identify(self, link: Link, number: int, who: Identity) -> None:
        """A new listener, or a newer identity of one."""
        listener = link.listeners.get(number)
        if listener is None:
            link.listeners[number] = Listener(number, who)
            return
        changed = listener.who.model_copy(update={"expires": 0, "known_as": ()}) != who.model_copy(
            update={"expires": 0}
        )
        listener.who = who.model_copy(update={"known_as": listener.who.known_as})
        if changed:
            listener.sight = None

    def forget(self, link: Link, number: int) -> None:
        link.listeners.pop(number, None)

    def open(self, link: Link, number: int, listener: Listener, after: str | None, tickets: Collection[UUID]) -> None:
        """A stream begins, at a place if its client has one."""
        self.close(link, number)
        subscription = Subscription(link, number, listener, None, frozenset(tickets))
        if after is not None:
            try:
                subscription.place = self.places.open(after)
            except UnknownPlace:
                subscription.reset = True
        link.subscriptions[number] = subscription
        listener.streams.add(subscription)
        self._behind[subscription] = None
        self._woken.set()

    def more(self, link: Link, number: int) -> None:
        """The client has read the last page of the past."""
        subscription = link.subscriptions.get(number)
        if subscription is not None:
            subscription.waits = False
            self._woken.set()

    def close(self, link: Link, number: int) -> None:
        subscription = link.subscriptions.pop(number, None)
        if subscription is not None:
            subscription.listener.streams.discard(subscription)
            self._behind.pop(subscription, None)
            self._ahead.discard(subscription)

    def end(self) -> None:
        """The process ends: its links go to another one."""
        self._ending = True
        for link in self.links:
            link.end()

    # The task

    async def run(self) -> Never:
        """Runs until it is cancelled."""
        await supervise("live changes", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        while True:
            self.heartbeat.beat(rest=IDLE_SECONDS)
            if not self._listened():
                self._woken.clear()
                await set_within(self._woken, IDLE_SECONDS)
                continue
            with self.follower.watch() as watch:
                waking = asyncio.create_task(self._wake_with_news(), name="live changes wake")
                try:
                    await self._follow(watch)
                finally:
                    waking.cancel()
                    self._start_anew()

    async def _wake_with_news(self) -> Never:
        while True:
            await self.follower.news.wait()
            self._woken.set()

    def _listened(self) -> bool:
        return any(link.subscriptions for link in self.links)

    def _start_anew(self) -> None:
        """The feed is not followed any more: streams catch up from where they are when it is again."""
        for subscription in self._subscriptions():
            if subscription.joined and self._place is not None:
                place = self._place if subscription.ahead is None else further(self._place, subscription.ahead)
                subscription.place, subscription.joined, subscription.ahead = place, False, None
                self._behind[subscription] = None
        self._place = None
        self._ahead, self._watched = set(), {}

    async def _follow(self, watch: Watch) -> None:
        self._place = await self.feed.end()
        while self._listened():
            self._woken.clear()
            await self._tell_news(watch)
            await self._catch_up()
            await self._tell_presence()
            await self._tell_counts()
            self._tell_place()
            self.heartbeat.beat()
            await set_within(self._woken, TICK_SECONDS)

    # What is new

    async def _tell_news(self, watch: Watch) -> None:
        assert self._place is not None
        moved = await watch.next(0)
        if moved is None:
            await self._read_news()
        else:
            for step in moved:
                await self._tell(step.changes or ())
                self._place = further(self._place, step.place)
        for each in [one for one in self._ahead if one.ahead is not None and covers(self._place, one.ahead)]:
            self._ahead.discard(each)
            each.ahead = None
            self._send_alone(each, {"op": "joined"})

    async def _read_news(self) -> None:
        """Some of what the follower saw is forgotten."""
        at_end = False
        while not at_end:
            assert self._place is not None
            try:
                page = await self.feed.changes(self._place, PAGE)
            except UnknownPlace:  # the topic was lost, or the database restored: all places are unknown now
                self._start_anew()
                self._place = await self.feed.end()
                return
            await self._tell(page.changes)
            self._place, at_end = further(self._place, page.place), page.at_end

    async def _tell(self, changes: Sequence[tuple[Change, Place]]) -> None:
        assert self._place is not None
        place = self._place
        new = [(change, after) for change, after in changes if not has(place, change, after)]
        # A stream that is ahead may have the first of several changes, which must not be one message then.
        told = await self.updates.of(new, single=bool(self._ahead))
        given = await self._notices_in(new)
        await self._rights_of_now()
        for each in told:
            # At the place before: a client that has got no more than the notice gets the ticket's message again.
            self._queue_notices(each, given, self._place)
            self._place = further(self._place, each.place)
            self._queue(each, self._place)

    def _queue(self, told: Told, place: Place) -> None:
        shown = told.update
        if shown.ticket.id in self._watched:
            self._watched[shown.ticket.id] = shown.ticket.facts
        last = told.changes[-1]
        texts: dict[View, str] = {}
        for link in self.links:
            to: dict[tuple[View, Place], list[int]] = {}
            for listener in link.listeners.values():
                if listener.sight is None or (wanted := view(shown, listener.sight)) is None:
                    continue
                for each in listener.streams:
                    if not each.joined or (each.ahead is not None and has(each.ahead, last, told.place)):
                        continue
                    at = place if each.ahead is None else further(place, each.ahead)
                    to.setdefault((wanted, at), []).append(each.number)
            for (wanted, at), numbers in to.items():
                text = texts.get(wanted) or texts.setdefault(wanted, data(shown, wanted))
                link.send({"op": "new", "to": numbers, "event": "ticket", "id": self._id(at), "data": text})

    async def _notices_in(self, changes: Sequence[tuple[Change, Place]]) -> Given:
        """The notices that these changes have given to people who listen."""
        entries = [(change.ticket, change.number) for change, _ in changes if change.type == NOTICE_GIVEN]
        people = {each.who.person_id for link in self.links for each in link.listeners.values() if each.who.is_agent}
        found = await self.notices.given(entries, people)
        return {
            entry: {person: orjson.dumps(row).decode() for person, row in of_people.items()}
            for entry, of_people in found.items()
        }

    def _queue_notices(self, told: Told, given: Given, place: Place) -> None:
        last = told.changes[-1]
        if not any((change.ticket, change.number) in given for change in told.changes):
            return
        for listener in [each for link in self.links for each in link.listeners.values()]:
            for text in _notices_of(listener, told, given):
                for each in listener.streams:
                    if not each.joined or (each.ahead is not None and has(each.ahead, last, told.place)):
                        continue
                    at = place if each.ahead is None else further(place, each.ahead)
                    frame = {"op": "new", "to": [each.number], "event": "notice", "id": self._id(at), "data": text}
                    each.link.send(frame)

    # What streams have missed

    async def _catch_up(self) -> None:
        await self._rights_of_now()
        beginning = [each for each in self._behind if each.place is None]
        if beginning:
            place = await self.feed.end()
            for each in beginning:
                if each in self._behind:
                    self._open(each, place)
                    self._join(each, place)
        by_place: dict[Place, list[Subscription]] = {}
        for each in self._behind:
            if each.place is not None and not each.waits:
                by_place.setdefault(each.place, []).append(each)
        for place in list(by_place)[:AT_ONCE]:
            await self._tell_past(place, by_place[place])
        if len(by_place) > AT_ONCE:
            self._woken.set()

    async def _tell_past(self, place: Place, subscriptions: Sequence[Subscription]) -> None:
        assert self._place is not None
        try:
            if place.incarnation == self._place.incarnation and _events(place, self._place) > MOST_BEHIND:
                raise UnknownPlace
            page = await self.feed.changes(place, PAST_PAGE)
        except UnknownPlace:
            for each in subscriptions:
                each.place, each.reset = None, True
            self._woken.set()
            return
        told = await self.updates.of(page.changes)
        given = await self._notices_in(page.changes)
        await self._rights_of_now()
        ids = [self._id(past.place) for past in told]
        texts: dict[tuple[int, View], str] = {}
        for subscription in subscriptions:
            sight = subscription.listener.sight
            if subscription not in self._behind or sight is None:
                continue
            self._open(subscription, place)
            for n, past in enumerate(told):
                for text in _notices_of(subscription.listener, past, given):
                    before = ids[n - 1] if n else self._id(place)
                    frame = {"op": "past", "s": subscription.number, "event": "notice", "id": before, "data": text}
                    subscription.link.send(frame)
                wanted = view(past.update, sight)
                if wanted is not None:
                    text = texts.get((n, wanted)) or texts.setdefault((n, wanted), data(past.update, wanted))
                    frame = {"op": "past", "s": subscription.number, "event": "ticket", "id": ids[n], "data": text}
                    subscription.link.send(frame)
            subscription.place = page.place
            if page.at_end and covers(page.place, self._place):
                self._join(subscription, page.place)
            elif not page.at_end:
                subscription.waits = True
                subscription.link.send({"op": "page", "s": subscription.number, "id": self._id(page.place)})

    def _open(self, subscription: Subscription, place: Place) -> None:
        if not subscription.opened:
            subscription.opened = True
            frame = {"op": "opened", "s": subscription.number, "id": self._id(place), "reset": subscription.reset}
            subscription.link.send(frame)
        elif subscription.reset:
            frame = {"op": "past", "s": subscription.number, "event": "reset", "id": self._id(place), "data": "{}"}
            subscription.link.send(frame)
        subscription.reset = False

    def _join(self, subscription: Subscription, place: Place) -> None:
        """The stream has everything up to `place`, and this task no less than it tells streams that have joined."""
        assert self._place is not None
        del self._behind[subscription]
        subscription.joined, subscription.place = True, None
        if covers(self._place, place):
            self._send_alone(subscription, {"op": "joined"})
        else:
            subscription.ahead = place
            self._ahead.add(subscription)
        for ticket in subscription.tickets & self._watched.keys():
            self._queue_presence(ticket, [subscription])

    # Presence, counts, place

    async def _tell_presence(self) -> None:
        watching: dict[UUID, list[Subscription]] = {}
        for each in self._subscriptions():
            if each.joined:
                for ticket in each.tickets:
                    watching.setdefault(ticket, []).append(each)
        new = watching.keys() - self._watched.keys()
        if new:
            self._watched |= dict.fromkeys(new) | await self.updates.facts(new)
        for ticket in self._watched.keys() - watching.keys():
            del self._watched[ticket]
        await self._rights_of_now()
        for ticket in (self.presence.news() & watching.keys()) | {each for each in new if self.presence.people(each)}:
            self._queue_presence(ticket, watching[ticket])

    def _queue_presence(self, ticket: UUID, subscriptions: Sequence[Subscription]) -> None:
        facts = self._watched.get(ticket)
        if facts is None:
            return
        text = None
        for each in subscriptions:
            sight = each.listener.sight
            if each.joined and sight is not None and sight.as_agent(facts):
                text = text or data_of_presence(ticket, self.presence)
                self._send_alone(each, {"op": "new", "to": [each.number], "event": "presence", "data": text})

    async def _tell_counts(self) -> None:
        now = time.monotonic()
        if now - self._counted < TICK_SECONDS:
            return
        self._counted = now
        listeners = [each for link in self.links for each in link.listeners.values() if each.streams]
        people = {each.who.person_id for each in listeners if each.who.is_agent}
        moved = await self.counts.refresh(people)
        await self._rights_of_now()
        queues = self.rights.current.queues
        for each in listeners:
            if each.sight is None or not each.sight.queues:
                continue
            changes = None
            if moved or each.recount:
                each.recount = False
                changes = each.told.changes(self.counts, queues, each.sight, each.who.person_id, each.follows)
            for stream in each.streams:
                if not stream.joined:
                    continue
                text = changes if stream.counted else each.told.whole(queues)
                stream.counted = True
                if text is not None:
                    self._send_alone(stream, {"op": "new", "to": [stream.number], "event": "counts", "data": text})

    def _tell_place(self) -> None:
        """Even if it is the same: nobody shall see when something happens that they may not see."""
        now = time.monotonic()
        if self._place is not None and now - self._said_place >= AT_SECONDS:
            self._said_place = now
            for link in self.links:
                link.send({"op": "at", "id": self._id(self._place)})

    def _send_alone(self, subscription: Subscription, frame: dict[str, object]) -> None:
        """A frame with the place of a stream that has joined."""
        assert self._place is not None
        ahead = subscription.ahead
        place = self._place if ahead is None else further(self._place, ahead)
        subscription.link.send({**frame, "s": subscription.number, "id": self._id(place)})

    async def _rights_of_now(self) -> None:
        """After this, until the next await, every listener that may be told something has the rights of now."""
        await self.rights.refresh(each for link in self.links for each in link.listeners.values())
        for link in self.links:
            for listener in link.listeners.values():
                if listener.lapsed:
                    for subscription in list(listener.streams):
                        link.send({"op": "refused", "s": subscription.number, "reason": "identity"})
                        self.close(link, subscription.number)

    def _subscriptions(self) -> Iterator[Subscription]:
        return (each for link in self.links for each in link.subscriptions.values())

    def _id(self, place: Place) -> str:
        return self.places.seal(place)


def _notices_of(listener: Listener, told: Told, given: Given) -> Iterator[str]:
    """The notices of an update that somebody has and may read."""
    if listener.sight is None or not listener.sight.as_agent(told.update.ticket.facts):
        return
    for change in told.changes:
        text = given.get((change.ticket, change.number), {}).get(listener.who.person_id)
        if text is not None:
            yield text


def _events(place: Place, other: Place) -> int:
    """How many events are between two places, at most."""
    return sum(b - a for a, b in zip(place.offsets, other.offsets, strict=True))


def data_of_presence(ticket: UUID, presence: Presence) -> str:
    return orjson.dumps({"ticket": str(ticket), "people": presence.people(ticket)}).decode()
