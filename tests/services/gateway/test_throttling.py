"""Password attempts are slowed down, in any spelling of the login, in parallel, and over several processes."""

import asyncio
from collections import Counter
from typing import Any
from uuid import UUID

import pytest

from services.gateway.signing_in.backoff import ADDRESS, PERSON
from services.gateway.signing_in.throttling import KNOWN_ADDRESS_DAYS, SignInThrottle
from shared.http.problems import Problem
from tests.services.gateway.conftest import PASSWORD, Gateway

HOME, ELSEWHERE = "192.0.2.1", "198.51.100.1"
KEY = b"a key of the tests, for digests."
PAUSE_FOR_LONG = "UPDATE gateway.guesses SET last = last + interval '1 hour'"


async def statuses(gateway: Gateway, names: list[str], password: str = "wrong") -> list[int]:
    return [(await gateway.anonymous.post("/session", {"login": name, "password": password})).status for name in names]


async def slowed(throttle: SignInThrottle, who: str, address: str) -> bool:
    """Whether an attempt is refused; else it counts."""
    try:
        async with throttle.attempt(who, address):
            return False
    except Problem as problem:
        assert problem.status == 429 and int(problem.headers["Retry-After"]) >= 1
        return True


async def failures(throttle: SignInThrottle, times: int, who: str = "kari", address: str = ELSEWHERE) -> None:
    for _ in range(times):
        assert not await slowed(throttle, who, address)


async def right(throttle: SignInThrottle, who: str, address: str) -> None:
    async with throttle.attempt(who, address) as attempt:
        await throttle.succeeded(attempt)


@pytest.fixture
def throttle(gateway: Gateway) -> SignInThrottle:
    return SignInThrottle(gateway.pool, KEY)


def spellings(person: UUID) -> list[str]:
    plain = person.hex
    return [
        "kari", "KARI ", "kari@help.example.org", "Kari@HELP.example.org", str(person), plain, plain.upper(),
        f"{{{person}}}",
        person.urn, f"{plain[:9]}-{plain[9:]}", f"{plain[:3]}-{plain[3:20]}-{plain[20:]}",
    ]  # fmt: skip


async def test_attempts_count_for_the_person_in_any_spelling(gateway: Gateway) -> None:
    kari = await gateway.person("kari", "agent")
    names = spellings(UUID((await kari.get("/session")).body["person"]["id"]))
    assert await statuses(gateway, names[: PERSON.free]) == [401] * PERSON.free
    await gateway.pool.execute(PAUSE_FOR_LONG)
    assert await statuses(gateway, names) == [429] * len(names)
    assert await statuses(gateway, names[:3], PASSWORD) == [429] * 3, (
        "during a pause, not even a right password is checked"
    )


async def test_attempts_at_an_unknown_id_count_in_any_spelling_too(gateway: Gateway) -> None:
    await gateway.person("kari", "agent")
    nobody = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
    names = [str(nobody), nobody.hex, nobody.urn, f"{{{nobody}}}", nobody.hex.upper()]
    assert await statuses(gateway, names) == [401] * PERSON.free
    await gateway.pool.execute(PAUSE_FOR_LONG)
    assert await statuses(gateway, names) == [429] * PERSON.free


async def test_parallel_attempts_are_not_free(gateway: Gateway) -> None:
    await gateway.person("kari", "agent")
    answers = await asyncio.gather(
        *(gateway.anonymous.post("/session", {"login": "kari", "password": f"wrong {n}"}) for n in range(25))
    )
    seen = Counter(answer.status for answer in answers)
    assert set(seen) == {401, 429}
    assert PERSON.free <= seen[401] <= PERSON.free + 1, "one more if the answers took longer than the first pause"


async def test_several_processes_count_together(gateway: Gateway) -> None:
    """Each process has its own `SignInThrottle`. They share the database."""
    processes = [SignInThrottle(gateway.pool, KEY) for _ in range(4)]
    seen = await asyncio.gather(*(slowed(process, "kari", ELSEWHERE) for process in processes for _ in range(6)))
    assert PERSON.free <= seen.count(False) <= PERSON.free + 1
    assert await slowed(SignInThrottle(gateway.pool, KEY), "kari", ELSEWHERE), "and so does a new process"


async def test_attempts_at_one_person_from_many_addresses_are_slowed_down(throttle: SignInThrottle) -> None:
    for n in range(PERSON.free):
        await failures(throttle, 1, address=f"198.51.100.{n}")
    assert await slowed(throttle, "kari", "203.0.113.9") and not await slowed(throttle, "ola", "203.0.113.9")


async def test_attempts_at_many_people_from_one_address_are_slowed_down(throttle: SignInThrottle) -> None:
    for n in range(ADDRESS.free):
        await failures(throttle, 1, who=f"person {n}")
    assert await slowed(throttle, "another", ELSEWHERE) and not await slowed(throttle, "another", HOME)


async def test_a_right_password_does_not_reset_its_address(throttle: SignInThrottle) -> None:
    for n in range(ADDRESS.free - 1):
        await failures(throttle, 1, who=f"person {n}")
        await right(throttle, f"mine {n}", ELSEWHERE)
    await failures(throttle, 1, who="the last")
    assert await slowed(throttle, "another", ELSEWHERE)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
async def test_loopback_has_no_limit_of_its_own_but_each_person_has(throttle: SignInThrottle, address: str) -> None:
    for n in range(2 * ADDRESS.free):
        await failures(throttle, 1, who=f"person {n}", address=address)
    await failures(throttle, PERSON.free, address=address)
    assert await slowed(throttle, "kari", address)


async def test_ipv6_addresses_count_as_their_network(throttle: SignInThrottle) -> None:
    for n in range(ADDRESS.free):
        await failures(throttle, 1, who=f"person {n}", address=f"2001:db8::{n:x}")
    assert await slowed(throttle, "another", "2001:db8::ffff")
    assert not await slowed(throttle, "another", "2001:db8:0:1::1")


async def test_strangers_do_not_slow_down_a_person_at_a_known_address(
    gateway: Gateway, throttle: SignInThrottle
) -> None:
    await right(throttle, "kari", HOME)
    for n in range(3 * ADDRESS.free):
        await slowed(throttle, "kari", f"198.51.100.{n}")
        await slowed(throttle, f"person {n}", HOME)
    await failures(throttle, PERSON.free, address=HOME)
    assert await slowed(throttle, "kari", HOME), "but attempts from the known address count"
    await gateway.pool.execute("DELETE FROM gateway.guesses")
    await gateway.pool.execute(
        "UPDATE gateway.known_places SET last = now() - make_interval(days => $1)", KNOWN_ADDRESS_DAYS + 1
    )
    for n in range(PERSON.free):
        await failures(throttle, 1, address=f"198.51.100.{n}")
    assert await slowed(throttle, "kari", HOME), "after a month, the address is forgotten"


async def test_a_right_password_takes_back_its_attempts(throttle: SignInThrottle) -> None:
    for _ in range(3):
        await failures(throttle, PERSON.free - 1)
        await right(throttle, "kari", ELSEWHERE)


async def test_an_attempt_that_was_not_checked_does_not_count(throttle: SignInThrottle) -> None:
    for _ in range(3 * PERSON.free):
        async with throttle.attempt("kari", ELSEWHERE) as attempt:
            await throttle.take_back(attempt)
    await failures(throttle, PERSON.free)


async def test_a_cancelled_attempt_counts(throttle: SignInThrottle) -> None:
    for _ in range(PERSON.free):
        with pytest.raises(asyncio.CancelledError):
            async with throttle.attempt("kari", ELSEWHERE):
                raise asyncio.CancelledError
    assert await slowed(throttle, "kari", ELSEWHERE)


async def test_the_tables_hold_no_names_or_addresses_and_are_purged(gateway: Gateway, throttle: SignInThrottle) -> None:
    await failures(throttle, 1)
    await right(throttle, "ola", HOME)
    rows: list[Any] = [
        *await gateway.pool.fetch("SELECT t::text FROM gateway.guesses t"),
        *await gateway.pool.fetch("SELECT t::text FROM gateway.known_places t"),
    ]
    assert len(rows) >= 3
    for row in rows:
        for word in ("kari", "ola", HOME, ELSEWHERE):
            assert word not in row[0] and word.encode().hex() not in row[0]
    await throttle.purge()
    assert await gateway.pool.fetchval("SELECT count(*) FROM gateway.guesses") > 0
    await gateway.pool.execute("UPDATE gateway.guesses SET last = last - interval '1 hour'")
    await gateway.pool.execute("UPDATE gateway.known_places SET last = last - interval '1 year'")
    await throttle.purge()
    assert await gateway.pool.fetchval("SELECT count(*) FROM gateway.guesses") == 0
    assert await gateway.pool.fetchval("SELECT count(*) FROM gateway.known_places") == 0
