"""Ends the streams of sign-ins that have ended, and renews the identities of those that go on.

One check for all streams of the process: every few seconds, and as soon as PostgreSQL tells that a sign-in or a person
has changed.
"""

import asyncio
import time
from typing import Never
from uuid import UUID

from services.gateway.live.link import Link
from services.gateway.live.streams import Streams
from services.gateway.signing_in.scopes import require
from services.gateway.signing_in.sessions import Sessions
from shared.database import connect
from shared.http.problems import Problem
from shared.rules.access import Identity
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.runtime.waiting import set_within

CHANNEL = "gateway_sign_ins"
CHECK_SECONDS = 3.0
PAUSE_SECONDS = 0.25
"""Between two checks, however often people change."""


class SignInWatch:
    def __init__(self, database_url: str, sessions: Sessions, streams: Streams, link: Link) -> None:
        self.database_url, self.sessions, self.streams, self.link = database_url, sessions, streams, link
        self.heartbeat = Heartbeat()
        self._changed = asyncio.Event()

    async def run(self) -> Never:
        """Runs until it is cancelled."""
        await supervise("sign-ins of live streams", self._follow, self.heartbeat)

    async def _follow(self) -> None:
        connection = await connect(self.database_url)
        try:
            connection.add_termination_listener(lambda _: self._changed.set())
            await connection.add_listener(CHANNEL, lambda *heard: self._heard(str(heard[3])))
            while True:
                self._changed.clear()
                await self.check()
                self.heartbeat.beat()
                await asyncio.sleep(PAUSE_SECONDS)
                await set_within(self._changed, CHECK_SECONDS)
                if connection.is_closed():
                    raise ConnectionResetError("the connection for notifications is lost")
        finally:
            connection.terminate()

    async def check(self) -> None:
        """Looks at every sign-in that has a stream, in one statement."""
        wanted, began = list(self.streams.principals), time.monotonic()
        valid = await self.sessions.valid(wanted) if wanted else {}
        self.streams.checked = began
        for session in wanted:
            principal = valid.get(session)
            if principal is None or principal.must_change or not _may_read(principal.identity):
                self.streams.end_session(session)
            elif session in self.streams.principals:
                self.streams.principals[session] = principal
        self.link.refresh()

    def _heard(self, text: str) -> None:
        """The id of a sign-in that has ended (it is looked at at once), or of a person."""
        if UUID(text) in self.streams.principals:
            self.streams.end_session(UUID(text))
        elif any(str(each.identity.person_id) == text for each in self.streams.principals.values()):
            self._changed.set()


def _may_read(who: Identity) -> bool:
    try:
        require(who, "read")
    except Problem:
        return False
    return True
