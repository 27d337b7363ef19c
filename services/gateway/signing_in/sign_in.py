"""Checks a login and its password. A wrong password and an unknown login get the same answer after the same work."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from prometheus_client import Counter

from services.gateway import document_rows
from services.gateway.document_rows import ADMIN
from services.gateway.signing_in.passwords import Passwords
from services.gateway.signing_in.sign_in_limits import SignInLimits
from services.gateway.signing_in.throttling import SignInThrottle
from shared.contracts.directory import Person
from shared.database import Pool
from shared.http import problems
from shared.http.problems import Problem
from shared.loopback import is_loopback

SIGN_INS = Counter("ledgerdesk_sign_ins_total", "Sign-ins by outcome", ["outcome"])

CREDENTIAL = "SELECT hash, changed_at FROM gateway.credentials WHERE person_id = $1"
REHASH = "UPDATE gateway.credentials SET hash = $2 WHERE person_id = $1 AND hash = $3"


WRONG = "The login or the password is wrong."


@dataclass(frozen=True, slots=True)
class Credential:
    """The hash of a password, and since when it has been that of its person."""

    hash: str
    since: datetime


class SignIn:
    """Attempts count for the person, whether a login, an e-mail address or an id names them, in any spelling."""

    def __init__(self, pool: Pool, passwords: Passwords, throttle: SignInThrottle) -> None:
        self.pool, self.passwords, self.throttle = pool, passwords, throttle
        self.limits = SignInLimits()

    async def check(self, login: str, password: str, address: str) -> tuple[Person, datetime]:
        """The person, and since when this has been their password.

        Raises Problem 401 for a wrong password or an unknown login, 429 for too many attempts or sign-ins.
        """
        name = login.strip().lower()
        row = await document_rows.find(self.pool, "person", name)
        person = row.document if row is not None and not row.retired and isinstance(row.document, Person) else None
        who = f"person {person.id}" if person is not None else f"nobody {_canonical(name)}"
        known_here = await self.throttle.knows(who, address) or (name == ADMIN and is_loopback(address))
        try:
            with self.limits.slot(who, address, known=known_here):
                right = await self._is_right(person, who, password, address, first=known_here)
        except Problem as refused:
            SIGN_INS.labels("slowed" if refused.status == 429 else "failed").inc()
            raise
        if right is None or person is None:
            SIGN_INS.labels("refused").inc()
            raise problems.unauthorized(WRONG)
        SIGN_INS.labels("accepted").inc()
        return person, right.since

    async def proves(self, person: Person, password: str, address: str) -> bool:
        """Whether this is the password of the person, who is signed in.

        Attempts count as at a sign-in. Raises Problem 429.
        """
        return await self._is_right(person, f"person {person.id}", password, address, first=True) is not None

    async def same(self, person: Person, password: str) -> bool:
        """Whether the person has this password already. Does not count as an attempt."""
        known = await self._credential(person)
        return await self.passwords.verify(known.hash if known else None, password)

    async def _is_right(
        self, person: Person | None, who: str, password: str, address: str, *, first: bool
    ) -> Credential | None:
        """The credential if the password is right."""
        async with self.throttle.attempt(who, address) as attempt:
            known = await self._credential(person)
            try:
                right = await self.passwords.verify(known.hash if known else None, password, first=first)
            except Problem:
                await self.throttle.take_back(attempt)
                raise
            if right:
                await self.throttle.succeeded(attempt)
        if right and person is not None and known is not None and self.passwords.outdated(known.hash):
            await self.pool.execute(REHASH, person.id, await self.passwords.hash(password), known.hash)
        return known if right else None

    async def _credential(self, person: Person | None) -> Credential | None:
        row = await self.pool.fetchrow(CREDENTIAL, person.id if person else None)
        return Credential(*row) if row is not None else None


def _canonical(name: str) -> str:
    """An unknown name in one spelling, as for a person: the number of free attempts must not tell whether a person
    exists."""
    try:
        return str(UUID(name))
    except ValueError:
        return name
