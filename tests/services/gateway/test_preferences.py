"""Preferences and notes: each person's own, complete from the first, saved key by key or as a whole."""

import asyncio
import base64
from typing import Any

import orjson
import pytest

from tests.services.gateway.conftest import Gateway
from tests.specs.requirement import requirement

PATH = "/session/preferences"
DEFAULTS: dict[str, Any] = {
    "language": "en", "timezone": "UTC", "theme": "system", "density": "comfortable", "start": "dashboard",
    "after_new_ticket": "ticket", "refresh_seconds": 0, "columns": [], "widgets": [], "shortcuts": True, "signature": "",
}  # fmt: skip
CHOSEN: dict[str, Any] = {
    "language": "nb", "timezone": "Europe/Oslo", "theme": "dark", "density": "compact", "start": "queue",
    "after_new_ticket": "list", "refresh_seconds": 60,
    "columns": ["number", {"column": "title", "view": "queue", "width": 320}, "field.room"],
    "widgets": ["days", "new"], "shortcuts": False, "signature": "Kari\nIT & støtte",
}  # fmt: skip


async def versions(gateway: Gateway, login: str) -> int:
    found: int = await gateway.pool.fetchval("SELECT version FROM gateway.documents WHERE slug = $1", login)
    return found


@requirement("A10.08", "A10.09", "A10.10", "A10.14")
async def test_preferences_are_complete_from_the_first_and_saved_as_a_whole_or_one_by_one(gateway: Gateway) -> None:
    kari, per = await gateway.person("kari", "agent"), await gateway.person("per", "customer")
    assert (await kari.get(PATH)).body == DEFAULTS
    assert (await kari.put(PATH, CHOSEN)).body == CHOSEN
    assert (await kari.get(PATH)).body == CHOSEN
    assert (await kari.patch(PATH, {"theme": "light"})).body == {**CHOSEN, "theme": "light"}
    assert (await kari.patch(PATH, {})).body == {**CHOSEN, "theme": "light"}
    assert (await per.get(PATH)).body == DEFAULTS
    assert (await per.patch(PATH, {"language": "sv"})).body == {**DEFAULTS, "language": "sv"}
    assert (await kari.put(PATH, {"density": "compact"})).body == {**DEFAULTS, "density": "compact"}
    assert (await gateway.anonymous.get(PATH)).status == 401


@requirement("A10.08")
async def test_language_and_zone_are_part_of_the_person_and_change_it_only_if_they_differ(gateway: Gateway) -> None:
    kari = await gateway.person("kari", "agent")
    first = await versions(gateway, "kari")
    await kari.patch(PATH, {"theme": "dark", "signature": "K", "columns": ["number"]})
    assert await versions(gateway, "kari") == first
    await kari.patch(PATH, {"language": "nb", "timezone": "Europe/Oslo"})
    assert await versions(gateway, "kari") == first + 1
    await kari.patch(PATH, {"language": "nb", "theme": "light"})
    assert await versions(gateway, "kari") == first + 1
    person = (await kari.get("/session")).body["person"]
    assert (person["language"], person["timezone"]) == ("nb", "Europe/Oslo")
    admin = await gateway.admin()
    document = (await admin.get("/people/kari")).body
    assert (document["language"], document["timezone"]) == ("nb", "Europe/Oslo")
    saved = await admin.put("/people/kari", {**document, "name": "Kari N", "timezone": "Asia/Tokyo"})
    assert (saved.status, saved.body["timezone"]) == (200, "Europe/Oslo"), saved


@pytest.mark.parametrize(
    ("named", "pointer"),
    [
        ({"colour": "red"}, "/colour"),
        ({"language": "xx"}, "/language"),
        ({"language": None}, "/language"),
        ({"timezone": "Mars/Olympus"}, "/timezone"),
        ({"timezone": "../../etc/passwd"}, "/timezone"),
        ({"timezone": "localtime"}, "/timezone"),
        ({"timezone": "Factory"}, "/timezone"),
        ({"theme": "pink"}, "/theme"),
        ({"density": ["compact"]}, "/density"),
        ({"start": "nowhere"}, "/start"),
        ({"after_new_ticket": "bed"}, "/after_new_ticket"),
        ({"refresh_seconds": -1}, "/refresh_seconds"),
        ({"refresh_seconds": 2.5}, "/refresh_seconds"),
        ({"refresh_seconds": True}, "/refresh_seconds"),
        ({"shortcuts": "yes"}, "/shortcuts"),
        ({"columns": "number"}, "/columns"),
        ({"columns": ["number", 7]}, "/columns/1"),
        ({"columns": ["'; DROP TABLE gateway.preferences"]}, "/columns/0"),
        ({"columns": [{"column": "title", "colour": "red"}]}, "/columns/0"),
        ({"columns": ["number"] * 201}, "/columns"),
        ({"widgets": {"days": 1}}, "/widgets"),
        ({"widgets": [["days"]]}, "/widgets/0"),
        ({"signature": "x" * 10_001}, "/signature"),
        ({"signature": "a\x00b"}, "/signature"),
    ],
)
async def test_a_wrong_value_is_named_and_nothing_is_saved(
    gateway: Gateway, named: dict[str, Any], pointer: str
) -> None:
    kari = await gateway.person("kari", "agent")
    await kari.put(PATH, CHOSEN)
    for answer in (
        await kari.patch(PATH, {"density": "comfortable", "language": "ru", **named}),
        await kari.put(PATH, {**DEFAULTS, **named}),
    ):
        assert answer.status == 422, answer
        assert [error["pointer"] for error in answer.body["errors"]] == [pointer], answer.body
    assert (await kari.get(PATH)).body == CHOSEN


async def test_changes_of_two_preferences_at_once_lose_nothing(gateway: Gateway) -> None:
    kari = await gateway.person("kari", "agent")
    named = [{key: value} for key, value in CHOSEN.items()]
    answers = await asyncio.gather(*(kari.patch(PATH, each) for each in named))
    assert {answer.status for answer in answers} == {200}
    assert (await kari.get(PATH)).body == CHOSEN


async def test_any_language_of_a_person_is_shown_as_one_of_the_desks(gateway: Gateway) -> None:
    for n, (tag, shown) in enumerate({"nb-NO": "nb", "no": "nb", "EN-gb": "en", "de": "en"}.items()):
        person = await gateway.person(f"kari-{n}", "agent", language=tag)
        assert (await person.get(PATH)).body["language"] == shown
        assert (await person.get("/session")).body["person"]["language"] == tag


@requirement("A7.35")
async def test_notes_are_mine_alone(gateway: Gateway) -> None:
    kari, nils, per = [
        await gateway.person(n, r) for n, r in (("kari", "agent"), ("nils", "agent"), ("per", "customer"))
    ]
    path = "/session/notes"
    first = await kari.get(path)
    assert (first.body, first.headers["ETag"]) == ({"text": ""}, '"0"')
    made = await kari.put(path, {"text": "buy milk"}, headers={"If-Match": '"0"'})
    assert (made.status, made.headers["ETag"]) == (200, '"1"')
    assert (await kari.get(path)).body == {"text": "buy milk"}
    for other in (nils, per, await gateway.admin()):
        assert (await other.get(path)).body == {"text": ""}
    assert (await kari.put(path, {"text": "and bread"}, headers={"If-Match": '"1"'})).headers["ETag"] == '"2"'
    for stale in ('"1"', '"0"', 'W/"2"'):
        refused = await kari.put(path, {"text": "lost?"}, headers={"If-Match": stale})
        assert (refused.status, refused.body["notes"]) == (412, {"text": "and bread"}), stale
    assert (await kari.put(path, {"text": "without a condition"})).status == 200
    assert (await nils.put(path, {"text": "x"}, headers={"If-Match": '"3"'})).status == 412
    assert (await nils.get(path)).body == {"text": ""}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/text"), ({"text": None}, "/text"), ({"text": "x" * 100_001}, "/text"), ({"text": "", "more": 1}, "/more")],
)
async def test_wrong_notes_are_refused(gateway: Gateway, body: dict[str, Any], pointer: str) -> None:
    kari = await gateway.person("kari", "agent")
    await kari.put("/session/notes", {"text": "kept"})
    answer = await kari.put("/session/notes", body)
    assert (answer.status, [error["pointer"] for error in answer.body["errors"]]) == (422, [pointer])
    assert (await kari.get("/session/notes")).body == {"text": "kept"}
    assert (await kari.put("/session/notes", None, data=orjson.dumps({"text": "x" * 3_000_000}))).status == 413


@requirement("A10.08")
async def test_services_learn_the_zone_of_the_person_who_asks(gateway: Gateway) -> None:
    kari = await gateway.person("kari", "agent")
    await kari.patch(PATH, {"timezone": "Europe/Oslo"})
    await kari.get("/tickets")
    told = gateway.service.business[-1].get("x-ledgerdesk-identity")
    assert told is not None
    payload = told.partition(".")[0]
    assert (
        orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["who"]["timezone"] == "Europe/Oslo"
    )
