"""Guesses at passwords, counted before they are looked at (ASVS 5.0, 6.3.1): many at once are as many as one after the other.

A right password gives its guess back. A stranger's guesses slow down everybody who tries this person's password, but not where the person
has signed in lately.
"""

import asyncio
import hashlib
import hmac
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.gateway.signing_in.backoff import ADDRESS, PERSON, REMEMBERED_SECONDS, Counted, Rule, pause, taken
from shared.database import Connection, Pool
from shared.http import problems
from shared.loopback import is_loopback
from shared.network import network

LATELY_DAYS = 30
"""How long an address is remembered at which somebody has signed in."""
MOST_IN_LINE = 32
"""Sign-ins of one person from one address that wait for each other."""

IS_KNOWN = (
    "SELECT EXISTS (SELECT FROM gateway.known_places WHERE place = $1 AND last > now() - make_interval(days => $2))"
)
LOOK = "SELECT key, level, extract(epoch FROM clock_timestamp() - last)::float8 AS ago FROM gateway.guesses WHERE key = ANY($1)"
MAKE = (
    "INSERT INTO gateway.guesses (key) SELECT key FROM unnest($1::bytea[]) AS key ORDER BY key ON CONFLICT DO NOTHING"
)
LOCK = f"{LOOK} ORDER BY key FOR UPDATE"
COUNT = """
INSERT INTO gateway.guesses (key, level, last)
SELECT n.key, n.level, clock_timestamp() FROM unnest($1::bytea[], $2::float8[]) AS n (key, level)
    ON CONFLICT (key) DO UPDATE SET level = excluded.level, last = excluded.last
"""
GIVE_BACK = "UPDATE gateway.guesses SET level = greatest(level - 1, 0) WHERE key = ANY($1)"
FORGET = "DELETE FROM gateway.guesses WHERE key = ANY($1)"
REMEMBER = "INSERT INTO gateway.known_places (place) VALUES ($1) ON CONFLICT (place) DO UPDATE SET last = now()"
PURGE_GUESSES = "DELETE FROM gateway.guesses WHERE last < now() - make_interval(secs => $1)"
PURGE_PLACES = "DELETE FROM gateway.known_places WHERE last < now() - make_interval(days => $1)"


@dataclass(frozen=True, slots=True)
class Guess:
    """One that was counted. `here`: the key of the person at this address; `rules`: all keys that it counts for."""

    here: bytes
    rules: Mapping[bytes, Rule]


class Guesses:
    """`key`: a secret; names and addresses stand in the tables as digests made with it."""

    def __init__(self, pool: Pool, key: bytes) -> None:
        self.pool, self._key = pool, key
        self._lines: dict[bytes, _Line] = {}

    @asynccontextmanager
    async def one(self, who: str, address: str) -> AsyncIterator[Guess]:
        """A guess at somebody's password from an address, for the block in which it is looked at. `who` names the person, in one way only,
        or nobody.

        Guesses at one person from one address are looked at one after the other: right ones that come at once must not count against each other.
        Raises Problem 429 where it has to wait.
        """
        here = self._digest("place", who, network(address))
        line = self._lines.setdefault(here, _Line())
        if line.waiting >= MOST_IN_LINE:
            raise problems.too_many(2, "Too many sign-ins at once; wait a little.")
        line.waiting += 1
        try:
            async with line.turn:
                yield await self._take(who, address, here)
        finally:
            line.waiting -= 1
            if not line.waiting:
                self._lines.pop(here, None)

    async def knows(self, who: str, address: str) -> bool:
        """Whether this person has signed in from this address lately."""
        return await self._is_known(self._digest("place", who, network(address)))

    async def give_back(self, guess: Guess) -> None:
        """The guess was not looked at."""
        async with self.pool.acquire() as connection, connection.transaction():
            await _look(connection, LOCK, guess.rules)
            await connection.execute(GIVE_BACK, list(guess.rules))

    async def was_right(self, guess: Guess) -> None:
        """Forgets what was counted for the person, and remembers the address for them; the address's other guesses stay counted."""
        persons = [key for key, rule in guess.rules.items() if rule is PERSON]
        others = [key for key, rule in guess.rules.items() if rule is not PERSON]
        async with self.pool.acquire() as connection, connection.transaction():
            await _look(connection, LOCK, guess.rules)  # in one order everywhere, against deadlocks
            await connection.execute(FORGET, persons)
            await connection.execute(GIVE_BACK, others)
            await connection.execute(REMEMBER, guess.here)

    async def purge(self) -> None:
        """Removes what no longer counts."""
        await self.pool.execute(PURGE_GUESSES, REMEMBERED_SECONDS)
        await self.pool.execute(PURGE_PLACES, LATELY_DAYS)

    async def _take(self, who: str, address: str, here: bytes) -> Guess:
        rules = {here: PERSON}
        if not await self._is_known(here):
            rules[self._digest("person", who)] = PERSON
            if not is_loopback(network(address)):
                rules[self._digest("address", network(address))] = ADDRESS
        async with self.pool.acquire() as connection:
            _require_no_pause(await _look(connection, LOOK, rules), rules)  # a flood that is refused writes nothing
            async with connection.transaction():
                await connection.execute(MAKE, list(rules))
                counted = await _look(connection, LOCK, rules)
                _require_no_pause(counted, rules)
                levels = [taken(counted[key], rule) for key, rule in rules.items()]
                await connection.execute(COUNT, list(rules), levels)
        return Guess(here, rules)

    async def _is_known(self, here: bytes) -> bool:
        known: bool = await self.pool.fetchval(IS_KNOWN, here, LATELY_DAYS)
        return known

    def _digest(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\x00".join(parts).encode("utf-8", "surrogatepass"), hashlib.sha256)


class _Line:
    """Those who wait for their turn, and the one whose turn it is."""

    def __init__(self) -> None:
        self.waiting = 0
        self.turn = asyncio.Lock()


def _require_no_pause(counted: Mapping[bytes, Counted], rules: Mapping[bytes, Rule]) -> None:
    wait = max(pause(counted[key], rule) for key, rule in rules.items())
    if wait:
        raise problems.too_many(math.ceil(wait), "Too many failed sign-ins; wait a little.")


async def _look(connection: Connection, statement: str, rules: Mapping[bytes, Rule]) -> dict[bytes, Counted]:
    found = {row["key"]: Counted(row["level"], row["ago"]) for row in await connection.fetch(statement, list(rules))}
    return {key: found.get(key, Counted()) for key in rules}
