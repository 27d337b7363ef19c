"""Passwords, without a server."""

import pytest

from services.gateway.signing_in import passwords
from services.gateway.signing_in.passwords import AT_ONCE, WAITING, Passwords
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
async def test_no_password_is_right_for_an_unknown_person(password: str) -> None:
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
