"""Passwords and the slowing down of guesses, without a server."""

import pytest

from services.gateway import passwords
from services.gateway.passwords import AT_ONCE, WAITING, Passwords
from services.gateway.slow_down import ACCOUNT, ADDRESS, REMEMBERED, SlowDown
from shared.http.problems import Problem


async def test_a_hash_is_argon2id_with_owasps_parameters_and_never_the_same_twice() -> None:
    keeper = Passwords()
    one, two = await keeper.hash("secret"), await keeper.hash("secret")
    assert one.startswith("$argon2id$v=19$m=47104,t=1,p=1$") and one != two
    assert (
        await keeper.verify(one, "secret")
        and not await keeper.verify(one, "Secret")
        and not await keeper.verify(one, "")
    )
    assert not keeper.outdated(one)
    keeper.close()


@pytest.mark.parametrize("password", ["nobody's password", ""])
async def test_nobody_has_a_password(password: str) -> None:
    keeper = Passwords()
    assert not await keeper.verify(None, password)
    keeper.close()


async def test_an_unreadable_hash_is_a_wrong_password() -> None:
    keeper = Passwords()
    assert not await keeper.verify("$2b$12$notargon", "x") and not await keeper.verify("garbage", "x")
    keeper.close()


async def test_a_flood_of_sign_ins_is_refused_not_queued_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio
    import threading

    gate = threading.Event()
    monkeypatch.setattr(passwords, "_verify", lambda known, password: gate.wait(10))
    keeper = Passwords()
    waiting = [asyncio.create_task(keeper.verify("x", "y")) for _ in range(AT_ONCE + WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(Problem) as refused:
        await keeper.verify("x", "y")
    assert refused.value.status == 429 and refused.value.headers["Retry-After"]
    gate.set()
    assert all(await asyncio.gather(*waiting))
    keeper.close()


HOME, ELSEWHERE = "192.0.2.1", "198.51.100.1"


def fail(slow: SlowDown, times: int, account: str = "kari", address: str = ELSEWHERE, at: float = 0.0) -> None:
    for _ in range(times):
        slow.failed(account, address, at)


def test_a_few_failures_are_free_then_the_pause_doubles_up_to_a_minute() -> None:
    slow = SlowDown()
    fail(slow, ACCOUNT.free - 1)
    assert slow.pause("kari", ELSEWHERE, 0.0) == 0
    pauses = []
    for _ in range(9):
        fail(slow, 1)
        pauses.append(slow.pause("kari", ELSEWHERE, 0.0))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_pause_ends_by_itself() -> None:
    slow = SlowDown()
    fail(slow, 100)
    assert slow.pause("kari", ELSEWHERE, 0.0) == ACCOUNT.longest
    assert slow.pause("kari", ELSEWHERE, ACCOUNT.longest) == 0
    fail(slow, 1, at=ACCOUNT.longest)
    assert slow.pause("kari", ELSEWHERE, ACCOUNT.longest + 1) > 0


def test_failures_are_forgotten_one_by_one() -> None:
    slow = SlowDown()
    fail(slow, ACCOUNT.free)
    later = 3 * ACCOUNT.forget
    fail(slow, 2, at=later)
    assert slow.pause("kari", ELSEWHERE, later) == 0
    fail(slow, 1, at=later)
    assert slow.pause("kari", ELSEWHERE, later) == 1


def test_a_flood_of_guesses_is_not_held_against_the_account_for_ever() -> None:
    slow = SlowDown()
    fail(slow, 100_000)
    assert slow.pause("kari", ELSEWHERE, 61.0) == 0
    fail(slow, 1, at=10 * ACCOUNT.forget)
    assert slow.pause("kari", ELSEWHERE, 10 * ACCOUNT.forget) == 0


def test_guessing_one_account_from_many_addresses_slows_it_down() -> None:
    slow = SlowDown()
    for n in range(ACCOUNT.free):
        slow.failed("kari", f"198.51.100.{n}", 0.0)
    assert slow.pause("kari", "203.0.113.9", 0.0) > 0


def test_guessing_many_accounts_from_one_address_slows_it_down() -> None:
    slow = SlowDown()
    for n in range(ADDRESS.free):
        slow.failed(f"person{n}", ELSEWHERE, 0.0)
    assert slow.pause("another", ELSEWHERE, 0.0) > 0 and slow.pause("another", HOME, 0.0) == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_no_address_but_the_account_is_slowed_there_too(address: str) -> None:
    slow = SlowDown()
    for n in range(10 * ADDRESS.free):
        slow.failed(f"person{n}", address, 0.0)
    assert slow.pause("another", address, 0.0) == 0
    fail(slow, ACCOUNT.free, address=address)
    assert slow.pause("kari", address, 0.0) > 0


def test_an_ipv6_caller_is_its_network() -> None:
    slow = SlowDown()
    for n in range(ADDRESS.free):
        slow.failed(f"person{n}", f"2001:db8::{n:x}", 0.0)
    assert slow.pause("another", "2001:db8::ffff", 0.0) > 0 and slow.pause("another", "2001:db8:0:1::1", 0.0) == 0


def test_where_somebody_has_signed_in_before_the_guesses_of_others_do_not_count() -> None:
    slow = SlowDown()
    slow.succeeded("kari", HOME)
    for n in range(200):
        slow.failed("kari", f"198.51.100.{n}", 0.0)
        slow.failed(f"person{n}", HOME, 0.0)
    assert slow.pause("kari", HOME, 0.0) == 0
    fail(slow, ACCOUNT.free, address=HOME)
    assert slow.pause("kari", HOME, 0.0) > 0, "but one's own do"


def test_success_forgets_the_failures_of_this_account_from_here() -> None:
    slow = SlowDown()
    fail(slow, ACCOUNT.free - 1)
    slow.succeeded("kari", ELSEWHERE)
    fail(slow, ACCOUNT.free - 1)
    assert slow.pause("kari", ELSEWHERE, 0.0) == 0


def test_memory_is_bounded() -> None:
    slow = SlowDown()
    for n in range(REMEMBERED + 100):
        slow.failed(f"person{n}", f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}", 0.0)
        slow.succeeded(f"person{n}", HOME)
    assert len(slow._failures) <= REMEMBERED and len(slow._known) <= REMEMBERED
