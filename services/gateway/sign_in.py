"""Checks a login and its password: the same answer, after the same work, for a wrong password and for nobody."""

import time

from prometheus_client import Counter

from services.gateway import rows
from services.gateway.passwords import Passwords
from services.gateway.people import ADMIN
from services.gateway.sign_in_places import SignInPlaces
from services.gateway.slow_down import SlowDown
from shared.contracts.directory import Person
from shared.database import Pool
from shared.http import problems
from shared.loopback import is_loopback

SIGN_INS = Counter("ledgerdesk_sign_ins_total", "Sign-ins by outcome", ["outcome"])

HASH = "SELECT hash FROM gateway.credentials WHERE person_id = $1"
REHASH = "UPDATE gateway.credentials SET hash = $2 WHERE person_id = $1 AND hash = $3"


class SignIn:
    """One per process, for what it remembers of failures."""

    def __init__(self, pool: Pool, passwords: Passwords) -> None:
        self.pool, self.passwords, self.slow_down = pool, passwords, SlowDown()
        self.places = SignInPlaces()

    async def check(self, login: str, password: str, address: str) -> Person:
        """The person. Raises Problem 401 for a wrong password or nobody, 429 for too many failures or too many sign-ins at once."""
        account = login.strip().lower()
        pause = self.slow_down.pause(account, address, time.monotonic())
        if pause:
            SIGN_INS.labels("slowed").inc()
            raise problems.too_many(pause, "Too many failed sign-ins; wait a little.")
        known_here = self.slow_down.knows(account, address) or (account == ADMIN and is_loopback(address))
        with self.places.held(account, address, known=known_here):
            return await self._check(account, password, address, known_here)

    async def _check(self, account: str, password: str, address: str, known_here: bool) -> Person:
        row = await rows.find(self.pool, "person", account)
        person = row.document if row is not None and not row.retired and isinstance(row.document, Person) else None
        known: str | None = await self.pool.fetchval(HASH, person.id if person else None)
        right = await self.passwords.verify(known, password, first=known_here)
        if not right or person is None or known is None:
            self.slow_down.failed(account, address, time.monotonic())
            SIGN_INS.labels("refused").inc()
            raise problems.unauthorized("The login or the password is wrong.")
        self.slow_down.succeeded(account, address)
        SIGN_INS.labels("accepted").inc()
        if self.passwords.outdated(known):
            await self.pool.execute(REHASH, person.id, await self.passwords.hash(password), known)
        return person

    async def same(self, person: Person, password: str) -> bool:
        """Whether this is the person's password already."""
        return await self.passwords.verify(await self.pool.fetchval(HASH, person.id), password)
