"""Throttles password attempts. Each is counted before the password is checked (ASVS 5.0, 6.3.1), so parallel attempts
count like a sequence.

A right password takes its attempt back. The attempts of strangers slow down everybody who tries the password of this
person, except from addresses where the person has signed in lately.
"""

import asyncio
import hashlib
import hmac
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from services.gateway.signing_in.backoff import (
    ADDRESS,
    PERSON,
    REMEMBERED_SECONDS,
    Attempts,
    BackoffRule,
    level_after_one_more,
    pause,
)
from shared.database import Connection, Pool
from shared.http import problems
from shared.loopback import is_loopback
from shared.network import network

KNOWN_ADDRESS_DAYS = 30
"""How long the address of a sign-in is remembered."""
LONGEST_QUEUE = 32
"""Sign-ins of one person from one address that wait for each other."""

IS_KNOWN = (
    "SELECT EXISTS (SELECT FROM gateway.known_places WHERE place = $1 AND last > now() - make_interval(days => $2))"
)
LOOK = """
SELECT key, level, extract(epoch FROM clock_timestamp() - last)::float8 AS ago
  FROM gateway.guesses
 WHERE key = ANY($1)
"""
MAKE = (
    "INSERT INTO gateway.guesses (key) SELECT key FROM unnest($1::bytea[]) AS key ORDER BY key ON CONFLICT DO NOTHING"
)
LOCK = f"{LOOK} ORDER BY key FOR UPDATE"
COUNT = """
INSERT INTO gateway.guesses (key, level, last)
SELECT n.key, n.level, clock_timestamp() FROM unnest($1::bytea[], $2::float8[]) AS n (key, level)
    ON CONFLICT (key) DO UPDATE SET level = excluded.level, last = excluded.last
"""
TAKE_BACK = "UPDATE gateway.guesses SET level = greatest(level - 1, 0) WHERE key = ANY($1)"
FORGET = "DELETE FROM gateway.guesses WHERE key = ANY($1)"
REMEMBER = "INSERT INTO gateway.known_places (place) VALUES ($1) ON CONFLICT (place) DO UPDATE SET last = now()"
PURGE_ATTEMPTS = "DELETE FROM gateway.guesses WHERE last < now() - make_interval(secs => $1)"
PURGE_ADDRESSES = "DELETE FROM gateway.known_places WHERE last < now() - make_interval(days => $1)"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A counted attempt.

    `here` is the key of the person at this address; `rules` holds every key that it counts for.
    """

    here: bytes
    rules: Mapping[bytes, BackoffRule]


class SignInThrottle:
    """The tables hold names and addresses as keyed digests; `key` is the secret."""

    def __init__(self, pool: Pool, key: bytes) -> None:
        self.pool, self._key = pool, key
        self._queues: dict[bytes, _Queue] = {}

    @asynccontextmanager
    async def attempt(self, who: str, address: str) -> AsyncIterator[Attempt]:
        """Counts an attempt at the password of `who` from an address; the block checks the password.

        `who` identifies a person, or a name that nobody has, in one spelling. Attempts at one person from one address
        run one after the other: right passwords that come together must not count against each other. Raises Problem
        429 during a pause.
        """
        here = self._digest("place", who, network(address))
        queue = self._queues.setdefault(here, _Queue())
        if queue.waiting >= LONGEST_QUEUE:
            raise problems.too_many(2, "Too many sign-ins at the same time. Try again in a few seconds.")
        queue.waiting += 1
        try:
            async with queue.turn:
                yield await self._counted(who, address, here)
        finally:
            queue.waiting -= 1
            if not queue.waiting:
                self._queues.pop(here, None)

    async def knows(self, who: str, address: str) -> bool:
        """Whether this person has signed in from this address lately."""
        return await self._is_known(self._digest("place", who, network(address)))

    async def take_back(self, attempt: Attempt) -> None:
        """The password was not checked."""
        async with self.pool.acquire() as connection, connection.transaction():
            await _attempts(connection, LOCK, attempt.rules)
            await connection.execute(TAKE_BACK, list(attempt.rules))

    async def succeeded(self, attempt: Attempt) -> None:
        """Forgets the attempts at the person and remembers the address for them.

        Other attempts from the address still count.
        """
        of_person = [key for key, rule in attempt.rules.items() if rule is PERSON]
        of_address = [key for key, rule in attempt.rules.items() if rule is not PERSON]
        async with self.pool.acquire() as connection, connection.transaction():
            await _attempts(connection, LOCK, attempt.rules)  # in one order everywhere, against deadlocks
            await connection.execute(FORGET, of_person)
            await connection.execute(TAKE_BACK, of_address)
            await connection.execute(REMEMBER, attempt.here)

    async def count(self, what: str, address: str, rule: BackoffRule) -> None:
        """Counts a request of another kind from an address; loopback has no limit. Raises Problem 429 during a
        pause."""
        if not is_loopback(network(address)):
            await self._count({self._digest(what, network(address)): rule}, "Too many requests. Try again later.")

    async def forget(self, who: str, address: str) -> None:
        """Forgets the attempts at the password of `who`, in general and from this address."""
        await self.pool.execute(FORGET, [self._digest("person", who), self._digest("place", who, network(address))])

    async def purge(self) -> None:
        """Removes rows that no longer count."""
        await self.pool.execute(PURGE_ATTEMPTS, REMEMBERED_SECONDS)
        await self.pool.execute(PURGE_ADDRESSES, KNOWN_ADDRESS_DAYS)

    async def _counted(self, who: str, address: str, here: bytes) -> Attempt:
        rules = {here: PERSON}
        if not await self._is_known(here):
            rules[self._digest("person", who)] = PERSON
            if not is_loopback(network(address)):
                rules[self._digest("address", network(address))] = ADDRESS
        await self._count(rules, "Too many failed sign-ins. Try again later.")
        return Attempt(here, rules)

    async def _count(self, rules: Mapping[bytes, BackoffRule], refusal: str) -> None:
        """Counts one more for every key. Raises Problem 429 during a pause."""
        async with self.pool.acquire() as connection:
            # a refused flood writes nothing
            _require_no_pause(await _attempts(connection, LOOK, rules), rules, refusal)
            async with connection.transaction():
                await connection.execute(MAKE, list(rules))
                attempts = await _attempts(connection, LOCK, rules)
                _require_no_pause(attempts, rules, refusal)
                levels = [level_after_one_more(attempts[key], rule) for key, rule in rules.items()]
                await connection.execute(COUNT, list(rules), levels)

    async def _is_known(self, here: bytes) -> bool:
        known: bool = await self.pool.fetchval(IS_KNOWN, here, KNOWN_ADDRESS_DAYS)
        return known

    def _digest(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\x00".join(parts).encode("utf-8", "surrogatepass"), hashlib.sha256)


class _Queue:
    """Attempts that run one after the other."""

    def __init__(self) -> None:
        self.waiting = 0
        self.turn = asyncio.Lock()


def _require_no_pause(attempts: Mapping[bytes, Attempts], rules: Mapping[bytes, BackoffRule], refusal: str) -> None:
    seconds = max(pause(attempts[key], rule) for key, rule in rules.items())
    if seconds:
        raise problems.too_many(math.ceil(seconds), refusal)


async def _attempts(
    connection: Connection, statement: str, rules: Mapping[bytes, BackoffRule]
) -> dict[bytes, Attempts]:
    found = {row["key"]: Attempts(row["level"], row["ago"]) for row in await connection.fetch(statement, list(rules))}
    return {key: found.get(key, Attempts()) for key in rules}
