"""Absences: set by oneself or an administrator, shown to agents while they are."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.services.gateway.conftest import Answer, Gateway
from tests.specs.requirement import requirement

PATH = "/session/absence"
NEVER = {"active": False, "from": None, "to": None, "substitute": None}


def day(n: int) -> str:
    return str((datetime.now(UTC) + timedelta(days=n)).date())


def away(**more: Any) -> dict[str, Any]:
    return {"active": True, "from": day(-2), "to": day(2), "substitute": None, **more}


def pointers(answer: Answer) -> list[str]:
    assert answer.status == 422, answer
    return [error["pointer"] for error in answer.body["errors"]]


@requirement("A21.01")
async def test_an_absence_shows_to_agents_wherever_they_pick_a_person(gateway: Gateway) -> None:
    lise, jan = [await gateway.person(login, "agent") for login in ("lise", "jan")]
    per = await gateway.person("per", "customer")
    jans = {"id": (await jan.get("/session")).body["person"]["id"], "name": "Jan"}
    assert (await lise.get(PATH)).body == NEVER
    assert (await jan.get("/people/lise")).body["absence"] is None
    set_by_lise = await lise.put(PATH, away(substitute="jan@help.example.org"))
    assert set_by_lise.body == {"active": True, "from": day(-2), "to": day(2), "substitute": jans}
    assert (await lise.get(PATH)).body == set_by_lise.body
    assert (await lise.put(PATH, set_by_lise.body)).body == set_by_lise.body, "an answer can be sent back"
    now = {"from": day(-2), "to": day(2), "substitute": jans}
    for who in (jan, lise, await gateway.admin()):
        assert (await who.get("/people/lise")).body["absence"] == now
        listed = {each["login"]: each["absence"] for each in (await who.get("/people")).body["items"]}
        assert listed == {"admin": None, "jan": None, "lise": now, "per": None}
        suggested = (await who.get("/suggest?q=li&kinds=person")).body["items"]
        assert [each["absence"] for each in suggested] == [now]
    assert (await per.get("/people/lise")).status == 404
    assert (await per.get("/people/per")).body["absence"] is None
    assert (await jan.get("/suggest?q=jan&kinds=person")).body["items"][0]["absence"] is None


@requirement("A21.01")
async def test_an_absence_holds_only_on_its_days_while_it_is_active(gateway: Gateway) -> None:
    lise, jan = [await gateway.person(login, "agent") for login in ("lise", "jan")]
    for body, shown in (
        (away(**{"from": day(2), "to": day(3)}), False),
        (away(**{"from": day(-3), "to": day(-2)}), False),
        (away(active=False), False),
        (away(), True),
    ):
        answer = await lise.put(PATH, body)
        assert answer.body == body, answer
        assert ((await jan.get("/people/lise")).body["absence"] is not None) == shown, body
    assert (await lise.put(PATH, {"active": False})).body == NEVER


@requirement("A21.01")
async def test_a_wrong_absence_is_refused_and_changes_nothing(gateway: Gateway) -> None:
    lise = await gateway.person("lise", "agent")
    for login, role in (("gone", "agent"), ("per", "customer")):
        await gateway.person(login, role)
    assert (await (await gateway.admin()).delete("/people/gone")).status == 204
    await lise.put(PATH, away())
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"from": day(1), "to": day(0)}, ["/to"]),
        ({"from": "soon"}, ["/from"]),
        ({"from": 20261129}, ["/from"]),
        ({"to": "2026-02-30"}, ["/to"]),
        ({"to": "2026-12-01T00:00:00Z"}, ["/to"]),
        ({"from": None}, ["/from"]),
        ({"from": None, "to": None}, ["/from", "/to"]),
        ({"active": False, "to": None}, ["/to"]),
        ({"active": "yes"}, ["/active"]),
        ({"substitute": "lise"}, ["/substitute"]),
        ({"substitute": "no-one"}, ["/substitute"]),
        ({"substitute": "gone"}, ["/substitute"]),
        ({"substitute": "per"}, ["/substitute"]),
        ({"substitute": ""}, ["/substitute"]),
        ({"substitute": {"id": "jan"}}, ["/substitute"]),
        ({"substitute": {"id": 7, "name": "Jan"}}, ["/substitute"]),
        ({"until": day(3)}, ["/until"]),
        ({"from": day(1), "to": day(0), "substitute": "no-one"}, ["/to", "/substitute"]),
    ]
    for body, expected in cases:
        assert pointers(await lise.put(PATH, away(**body))) == expected, body
    assert pointers(await lise.put(PATH, {})) == ["/active"]
    assert (await lise.get(PATH)).body == away()


@requirement("A21.01")
async def test_a_substitute_who_has_left_shows_as_none(gateway: Gateway) -> None:
    lise = await gateway.person("lise", "agent")
    await gateway.person("jan", "agent")
    await lise.put(PATH, away(substitute="jan"))
    admin = await gateway.admin()
    jan = {"login": "jan", "name": "Jan", "email": "jan@help.example.org", "roles": ["customer"]}
    assert (await admin.put("/people/jan", jan)).status == 200
    assert (await lise.get(PATH)).body["substitute"] is None
    assert (await admin.put("/people/jan", {**jan, "roles": ["agent"]})).status == 200
    assert (await lise.get(PATH)).body["substitute"]["name"] == "Jan"
    await admin.delete("/people/jan")
    assert (await lise.get(PATH)).body["substitute"] is None
    assert (await admin.get("/people/lise")).body["absence"]["substitute"] is None


@requirement("A21.01")
async def test_only_administrators_set_the_absence_of_somebody_else(gateway: Gateway) -> None:
    lise, jan = [await gateway.person(login, "agent") for login in ("lise", "jan")]
    per, admin = await gateway.person("per", "customer"), await gateway.admin()
    set_by_admin = await admin.put("/people/lise/absence", away(substitute="jan"))
    assert set_by_admin.status == 200 and (await lise.get(PATH)).body == set_by_admin.body
    assert (await admin.get("/people/lise/absence")).body == set_by_admin.body
    history = (await admin.get("/people/lise/history")).body["items"]
    assert history[-1]["data"]["person"]["absence"]["first_day"] == day(-2)
    for who in (lise, jan, per):
        for method in ("GET", "PUT"):
            assert (await who.call(method, "/people/lise/absence", away() if method == "PUT" else None)).status == 403
    assert (await admin.put("/people/per/absence", away())).status == 409
    assert (await admin.put("/people/nobody/absence", away())).status == 404
    for method in ("GET", "PUT"):
        assert (await per.call(method, PATH, away() if method == "PUT" else None)).status == 403
        assert (await gateway.anonymous.call(method, PATH, away() if method == "PUT" else None)).status == 401


@pytest.mark.parametrize("path", ["/people/lise", "/customers/per"])
async def test_who_is_read_while_away_can_be_saved_as_read(gateway: Gateway, path: str) -> None:
    lise = await gateway.person("lise", "agent")
    await gateway.person("per", "customer")
    await lise.put(PATH, away())
    admin = await gateway.admin()
    read = (await admin.get(path)).body
    if path.startswith("/people"):
        assert read["absence"] is not None
        assert (await admin.put(path, read)).status == 200
        assert (await lise.get(PATH)).body == away()
    else:
        assert "absence" not in read
