"""Turns requests for a new password into links, and hands the mails about sign-ins to notify.

Both happen after the request was answered, whoever was named in it. So the answer and its time tell nothing.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Never

import orjson
from prometheus_client import Counter

from services.gateway import account_mails, document_rows, reset_links
from services.gateway.account_mails import AccountMail
from services.gateway.documents.propagation import GATEWAY
from services.gateway.service_client import ServiceClient
from shared.addresses import comparable
from shared.contracts.directory import Person
from shared.database import Connection, Pool
from shared.http.problems import Problem
from shared.runtime.failpoints import hit
from shared.runtime.heartbeat import Heartbeat
from shared.runtime.supervision import supervise
from shared.timestamps import timestamp

log = logging.getLogger(__name__)

REQUESTS = Counter("ledgerdesk_password_resets_total", "Requests for a new password, by what came of them", ["outcome"])
MAILS = Counter(
    "ledgerdesk_account_mails_total", "Mails about sign-ins, by kind and what came of them", ["kind", "outcome"]
)
POLL_SECONDS = 1.0
PAGE = "/password/new/"
"""The page of the web app that takes a new password, below the desk's address. The token follows."""

ANYTHING = """
SELECT EXISTS (SELECT FROM gateway.reset_requests) OR EXISTS (SELECT FROM gateway.account_mails WHERE due_at <= now())
"""
"""One statement for a poll that mostly finds nothing."""
OWN_ADDRESS = "SELECT EXISTS (SELECT FROM gateway.documents WHERE address = ANY($1))"


class AccountMailer:
    """Several may run side by side. `public_url`: where people reach the desk; None: no link is sent."""

    def __init__(self, pool: Pool, services: ServiceClient, key: bytes, public_url: str | None) -> None:
        self.pool, self.services, self.key, self.public_url = pool, services, key, public_url
        self.heartbeat = Heartbeat()

    async def run(self) -> Never:
        """Runs until it is cancelled."""
        await supervise("mails about sign-ins", self._serve, self.heartbeat)

    async def _serve(self) -> None:
        while True:
            self.heartbeat.beat()
            if await self.pool.fetchval(ANYTHING):
                while await self.take_request():
                    self.heartbeat.beat()
                while await self.send_one():
                    self.heartbeat.beat()
            await asyncio.sleep(POLL_SECONDS)

    async def take_request(self) -> bool:
        """Decides about the oldest request. False if there is none."""
        async with self.pool.acquire() as connection, connection.transaction():
            request = await reset_links.take(connection)
            if request is None:
                return False
            person = await self._person(connection, request[1])
            made = person is not None and await reset_links.make(connection, self.key, request[0], person.id)
            if made and person is not None:
                await account_mails.queue(
                    connection, person.id, "reset_link", mail=request[0], within=reset_links.LASTS
                )
            hit("resets.before_commit")
        REQUESTS.labels("mail" if made else "none").inc()
        return True

    async def _person(self, connection: Connection, login: str) -> Person | None:
        """Whom a link may be sent to: somebody in use whose address is not one of ours.

        A mail to an address of the desk would become a ticket that others read.
        """
        if self.public_url is None:
            log.warning("no link to a new password can be sent: LEDGERDESK_PUBLIC_URL is not set")
            return None
        row = await document_rows.find(connection, "person", login)
        if row is None or row.retired or not isinstance(row.document, Person):
            return None
        return None if await connection.fetchval(OWN_ADDRESS, _spellings(row.document.email)) else row.document

    async def send_one(self) -> bool:
        """Hands the mail that is due first to notify. False if there is none."""
        mail = await account_mails.claim(self.pool)
        if mail is None:
            return False
        body = await self._body(mail)
        if body is None:
            await account_mails.done(self.pool, mail)
            MAILS.labels(mail.kind, "dropped").inc()
            return True
        try:
            answer = await self.services.call(
                "POST",
                "notify",
                "/internal/account-mails",
                GATEWAY,
                headers={"Content-Type": "application/json"},
                content=orjson.dumps(body),
            )
            taken = answer.status == 204
            problem = f"notify answers {answer.status}"
        except Problem as error:
            taken, problem = False, error.detail or "notify is away"
        hit("resets.before_done")
        if taken:
            await account_mails.done(self.pool, mail)
        else:
            log.warning("a mail about a sign-in waits for attempt %d: %s", mail.attempts + 1, problem)
            await account_mails.postpone(self.pool, mail)
        MAILS.labels(mail.kind, "handed over" if taken else "postponed").inc()
        return True

    async def _body(self, mail: AccountMail) -> Mapping[str, Any] | None:
        """What notify gets; None if nobody is to get the mail any more."""
        row = await document_rows.find(self.pool, "person", str(mail.person_id))
        if mail.expired or row is None or row.retired or not isinstance(row.document, Person):
            return None
        person = row.document
        body = {
            "id": str(mail.id),
            "kind": mail.kind,
            "email": person.email,
            "name": person.name,
            "language": person.language,
            "timezone": person.timezone,
            "at": timestamp(mail.created_at),
            "expires_at": timestamp(mail.expires_at),
        }
        if mail.kind != "reset_link":
            return body
        link = await reset_links.by_id(self.pool, mail.id)
        if link is None or not link.holds or self.public_url is None:
            return None
        return body | {"link": f"{self.public_url}{PAGE}{reset_links.token(self.key, mail.id)}"}


def _spellings(email: str) -> list[str]:
    """An address, and without the tag behind a plus, which mail systems ignore."""
    known = comparable(email)
    local, _, domain = known.rpartition("@")
    return [known, f"{local.partition('+')[0]}@{domain}"]
