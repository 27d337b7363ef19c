"""Checks a login and its password: the same answer, after the same work, for a wrong password and for nobody."""

from uuid import UUID

from prometheus_client import Counter

from services.gateway.documents import rows
from services.gateway.documents.document import ADMIN
from services.gateway.signing_in.passwords import Passwords
from services.gateway.signing_in.sign_in_limits import SignInPlaces
from services.gateway.signing_in.throttling import Guesses
from shared.contracts.directory import Person
from shared.database import Pool
from shared.http import problems
from shared.http.problems import Problem
from shared.loopback import is_loopback

SIGN_INS = Counter("ledgerdesk_sign_ins_total", "Sign-ins by outcome", ["outcome"])

HASH = "SELECT hash FROM gateway.credentials WHERE person_id = $1"
REHASH = "UPDATE gateway.credentials SET hash = $2 WHERE person_id = $1 AND hash = $3"


class SignIn:
    """Whatever somebody is named by, login, address or id in any spelling: guesses count for the person found."""

    def __init__(self, pool: Pool, passwords: Passwords, guesses: Guesses) -> None:
        self.pool, self.passwords, self.guesses = pool, passwords, guesses
        self.places = SignInPlaces()

    async def check(self, login: str, password: str, address: str) -> Person:
        """The person. Raises Problem 401 for a wrong password or nobody, 429 for too many failures or too many sign-ins at once."""
        name = login.strip().lower()
        row = await rows.find(self.pool, "person", name)
        person = row.document if row is not None and not row.retired and isinstance(row.document, Person) else None
        who = f"person {person.id}" if person is not None else f"nobody {_canonical(name)}"
        known_here = await self.guesses.knows(who, address) or (name == ADMIN and is_loopback(address))
        try:
            with self.places.held(who, address, known=known_here):
                right = await self._right(person, who, password, address, first=known_here)
        except Problem as refused:
            SIGN_INS.labels("slowed" if refused.status == 429 else "failed").inc()
            raise
        if not right or person is None:
            SIGN_INS.labels("refused").inc()
            raise problems.unauthorized("The login or the password is wrong.")
        SIGN_INS.labels("accepted").inc()
        return person

    async def proves(self, person: Person, password: str, address: str) -> bool:
        """Whether somebody who is signed in gives their own password; guesses count as at a sign-in. Raises Problem 429."""
        return await self._right(person, f"person {person.id}", password, address, first=True)

    async def same(self, person: Person, password: str) -> bool:
        """Whether this is the person's password already."""
        return await self.passwords.verify(await self._hash(person), password)

    async def _right(self, person: Person | None, who: str, password: str, address: str, *, first: bool) -> bool:
        async with self.guesses.one(who, address) as guess:
            known = await self._hash(person)
            try:
                right = await self.passwords.verify(known, password, first=first)
            except Problem:
                await self.guesses.give_back(guess)
                raise
            if right:
                await self.guesses.was_right(guess)
        if right and person is not None and known is not None and self.passwords.outdated(known):
            await self.pool.execute(REHASH, person.id, await self.passwords.hash(password), known)
        return right

    async def _hash(self, person: Person | None) -> str | None:
        found: str | None = await self.pool.fetchval(HASH, person.id if person else None)
        return found


def _canonical(name: str) -> str:
    """A name of nobody, in one spelling: by the number of guesses that are free nobody must tell them from somebody."""
    try:
        return str(UUID(name))
    except ValueError:
        return name
