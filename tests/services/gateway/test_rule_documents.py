"""Triggers and macros as documents (A8.06, A9.02)."""

from typing import Any

import pytest

from tests.services.gateway.conftest import Client, Gateway
from tests.specs.requirement import requirement

WORK = {"do": "note", "text": "x"}
TRIGGER: dict[str, Any] = {
    "slug": "t",
    "name": "T",
    "order": 1,
    "active": True,
    "on": ["opened"],
    "when": {"field": "queue", "is": ["it"]},
    "then": [WORK],
}
MACRO: dict[str, Any] = {"slug": "m", "name": "M", "queues": ["it"], "then": [WORK]}


def has(field: str, *values: Any) -> dict[str, Any]:
    return {"field": field, "is": list(values)}


async def desk(gateway: Gateway) -> Client:
    """The administrator of a desk that has what the rules here name."""
    admin = await gateway.admin()
    for slug in ("it", "hr"):
        assert (await admin.put(f"/queues/{slug}", {"slug": slug, "name": slug, "members": []})).status == 201
    for path, more in (
        ("/companies/acme", {}),
        ("/topics/broken", {"queue": "it"}),
        ("/templates/known", {"text": "We know."}),
        ("/fields/room", {"kind": "text"}),
        ("/fields/floor", {"kind": "number"}),
        ("/states/waits", {"type": "pending_reminder"}),
        ("/states/done", {"type": "pending_auto_close", "close_after_hours": 24.0}),
        ("/calendars/office", {"timezone": "UTC", "hours": {"mon": [["08:00", "16:00"]]}}),
    ):
        slug = path.rpartition("/")[2]
        answer = await admin.put(path, {"slug": slug, "name": slug, **more})
        assert answer.status == 201, answer
    return admin


@requirement("A9.02")
async def test_a_trigger_names_people_and_documents_in_any_way(gateway: Gateway) -> None:
    admin = await desk(gateway)
    for login, role in (("kari", "agent"), ("pia", "customer")):
        await gateway.person(login, role)
    kari, pia = [(await admin.get(f"/people/{login}")).body["id"] for login in ("kari", "pia")]
    it = (await admin.get("/queues/it")).body["id"]
    when = {
        "all": [
            has("queue", it, "hr"),
            {"any": [has("owner", "kari", kari, "Kari@help.example.org"), {"not": has("company", "acme")}]},
            has("customer", "pia", "pia@help.example.org", "nobody@example.org"),
            has("within_calendar", "office"),
            has("fields.room", "B 214"),
            has("topic", "broken"),
        ]
    }
    then = [
        {"do": "move", "queue": it, "owner": "kari", "text": ""},
        {"do": "assign", "owner": "previous"},
        {"do": "assign", "to": "least-loaded"},
        {"do": "set-responsible", "responsible": None},
        {"do": "set-state", "state": "done"},
        {"do": "set-state", "state": "waits", "pending_until": "2030-01-01T08:00:00Z"},
        {"do": "set-fields", "fields": {"room": "B 214", "floor": 2}},
        {"do": "notify", "to": ["customer", "kari", "Duty@Example.org"], "template": "known"},
        {"do": "note", "text": "x", "internal": False},
    ]
    saved = await admin.put("/triggers/t", {**TRIGGER, "when": when, "then": then})
    assert saved.status == 201, saved
    found = saved.body
    assert found["when"]["all"][0] == has("queue", "it", "hr")
    assert found["when"]["all"][1]["any"] == [has("owner", kari, kari, kari), {"not": has("company", "acme")}]
    assert found["when"]["all"][2] == has("customer", pia, pia, "nobody@example.org")
    assert found["then"][0] == {"do": "move", "queue": "it", "owner": kari, "text": ""}
    assert found["then"][1:4] == then[1:4]
    assert found["then"][5]["pending_until"] == "2030-01-01T08:00:00.000Z"
    assert found["then"][7]["to"] == ["customer", kari, "duty@example.org"]
    assert found["then"][8] == then[8]
    assert found["switched_off"] is None
    # What is shown can be saved again, and changes nothing.
    again = await admin.put("/triggers/t", found)
    assert again.status == 200 and again.body["version"] == 1, again
    # A person who has left may stay named; the action is then left out.
    assert (await admin.delete("/people/kari")).status == 204
    renamed = await admin.put("/triggers/t", {**found, "name": "Renamed"})
    assert renamed.status == 200 and renamed.body["then"][0]["owner"] == kari, renamed
    history = (await admin.get("/triggers/t/history")).body["items"]
    assert [event["version"] for event in history] == [1, 2]


def nested(levels: int) -> dict[str, Any]:
    condition = has("queue", "it")
    for _ in range(levels):
        condition = {"not": condition}
    return condition


@requirement("A9.02")
@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"on": ["opened", "exploded"]}, "/on/1"),
        ({"on": []}, "/on"),
        ({"on": ["idle"]}, "/idle_minutes"),
        ({"idle_minutes": 5}, "/idle_minutes"),
        ({"on": ["idle"], "idle_minutes": 0}, "/idle_minutes"),
        ({"when": None}, "/when"),
        ({"when": []}, "/when"),
        ({"when": {}}, "/when"),
        ({"when": {"all": [has("queue", "it"), {"any": [{"not": has("colour", "x")}]}]}}, "/when/all/1/any/0/not/field"),
        ({"when": {"all": [{"any": [{"not": {}}]}]}}, "/when/all/0/any/0/not"),
        ({"when": {**has("title", "x"), "empty": True}}, "/when"),
        ({"when": {"field": "title"}}, "/when"),
        ({"when": {**has("title", "x"), "all": []}}, "/when/field"),
        ({"when": has("title", "x", 7)}, "/when/is/1"),
        ({"when": has("queue", "it", "no-such")}, "/when/is/1"),
        ({"when": {"not": has("state", "no-such")}}, "/when/not/is/0"),
        ({"when": has("company", "no-such")}, "/when/is/0"),
        ({"when": has("topic", "no-such")}, "/when/is/0"),
        ({"when": has("within_calendar", "no-such")}, "/when/is/0"),
        ({"when": has("owner", "no-one")}, "/when/is/0"),
        ({"when": has("customer", "no-one")}, "/when/is/0"),
        ({"when": has("fields.no-such", "x")}, "/when/field"),
        ({"when": has("fields.floor", 3, 1e300)}, "/when/is/1"),
        ({"when": nested(12)}, "/when"),
        ({"when": nested(50)}, "/when"),
        ({"when": nested(200)}, "/when"),
        ({"when": nested(300)}, "/when"),
        ({"when": {"any": [has("queue", "it")] * 300}}, "/when"),
        ({"then": []}, "/then"),
        ({"then": [WORK, {"do": "explode"}]}, "/then/1"),
        ({"then": [WORK, {}]}, "/then/1"),
        ({"then": ["note"]}, "/then/0"),
        ({"then": [{**WORK, "colour": "red"}]}, "/then/0/colour"),
        ({"then": [{"do": "reply", "template": "known"}]}, "/then/0"),
        ({"then": [WORK, {"do": "move", "queue": "no-such"}]}, "/then/1/queue"),
        ({"then": [{"do": "move"}]}, "/then/0/queue"),
        ({"then": [{"do": "assign", "owner": "no-one"}]}, "/then/0/owner"),
        ({"then": [{"do": "assign", "to": "by-lot"}]}, "/then/0/to"),
        ({"then": [{"do": "assign"}]}, "/then/0"),
        ({"then": [{"do": "set-priority", "priority": 9}]}, "/then/0/priority"),
        ({"then": [{"do": "set-state", "state": "no-such"}]}, "/then/0/state"),
        ({"then": [{"do": "set-state", "state": "merged"}]}, "/then/0/state"),
        ({"then": [{"do": "set-state", "state": "waits"}]}, "/then/0/pending_until"),
        ({"then": [{"do": "set-state", "state": "open", "pending_until": "2030-01-01T08:00:00Z"}]}, "/then/0/pending_until"),
        ({"then": [{"do": "note", "text": "x", "state": "no-such"}]}, "/then/0/state"),
        ({"then": [{"do": "set-fields", "fields": {"no-such": "x"}}]}, "/then/0/fields/no-such"),
        ({"then": [{"do": "set-fields", "fields": {"floor": "x"}}]}, "/then/0/fields/floor"),
        ({"then": [{"do": "set-fields", "fields": {"floor": 10**30}}]}, "/then/0/fields/floor"),
        ({"then": [{"do": "set-fields", "fields": {"a/b": "x"}}]}, "/then/0/fields/a~1b"),
        ({"then": [{"do": "set-responsible", "responsible": "no-one"}]}, "/then/0/responsible"),
        ({"then": [{"do": "notify", "to": ["owner"], "template": "no-such"}]}, "/then/0/template"),
        ({"then": [{"do": "notify", "to": ["owner", "no one"], "template": "known"}]}, "/then/0/to/1"),
        ({"then": [{"do": "notify", "to": ["owner", "no@one@x"], "template": "known"}]}, "/then/0/to/1"),
        ({"then": [WORK] * 51}, "/then"),
        ({"colour": "red"}, "/colour"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_a_trigger_is_named(gateway: Gateway, wrong: dict[str, Any], pointer: str) -> None:
    admin = await desk(gateway)
    answer = await admin.put("/triggers/t", {**TRIGGER, **wrong})
    assert answer.status == 422, answer
    assert pointer in {error["pointer"] for error in answer.body["errors"]}, answer


async def test_a_text_that_is_too_long_is_told_in_characters(gateway: Gateway) -> None:
    when = {"field": "title", "contains": ["x" * 501]}
    answer = await (await desk(gateway)).put("/triggers/t", {**TRIGGER, "when": when})
    assert answer.body["errors"] == [{"pointer": "/when/contains/0", "detail": "Must have at most 500 characters."}]


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"then": [WORK, {"do": "explode"}]}, "/then/1"),
        ({"then": []}, "/then"),
        ({"then": [{"do": "reply", "template": "no-such"}]}, "/then/0/template"),
        ({"then": [{"do": "set-fields", "fields": {"floor": -1e300}}]}, "/then/0/fields/floor"),
        ({"queues": ["it", "no-such"]}, "/queues/1"),
        ({"on": ["opened"]}, "/on"),
    ],
)
async def test_what_is_wrong_with_a_macro_is_named(gateway: Gateway, wrong: dict[str, Any], pointer: str) -> None:
    admin = await desk(gateway)
    answer = await admin.put("/macros/m", {**MACRO, **wrong})
    assert answer.status == 422, answer
    assert pointer in {error["pointer"] for error in answer.body["errors"]}, answer


@requirement("A9.02")
@pytest.mark.parametrize(
    ("path", "when", "then"),
    [
        ("/queues/hr", has("queue", "hr"), WORK),
        ("/queues/hr", {"not": {"any": [has("queue", "hr")]}}, WORK),
        ("/queues/hr", None, {"do": "move", "queue": "hr"}),
        ("/states/waits", has("state", "waits"), WORK),
        ("/states/done", None, {"do": "note", "text": "x", "state": "done"}),
        ("/companies/acme", has("company", "acme"), WORK),
        ("/topics/broken", has("topic", "broken"), WORK),
        ("/calendars/office", has("within_calendar", "office"), WORK),
        ("/fields/room", {"field": "fields.room", "empty": True}, WORK),
        ("/fields/room", None, {"do": "set-fields", "fields": {"room": "x"}}),
        ("/templates/known", None, {"do": "notify", "to": ["owner"], "template": "known"}),
    ],
)
async def test_what_a_trigger_names_cannot_be_retired(
    gateway: Gateway, path: str, when: dict[str, Any] | None, then: dict[str, Any]
) -> None:
    admin = await desk(gateway)
    rule = {**TRIGGER, "active": False, "when": when or {"all": []}, "then": [then]}
    assert (await admin.put("/triggers/t", rule)).status == 201
    used = await admin.delete(path)
    assert used.status == 409 and "trigger: t" in used.body["detail"], used
    assert (await admin.delete("/triggers/t")).status == 204
    assert (await admin.delete(path)).status == 204


async def test_a_word_that_is_no_name_keeps_nothing(gateway: Gateway) -> None:
    admin = await desk(gateway)
    words = {"when": {"field": "title", "contains": ["hr"]}, "then": [{"do": "tag", "tags": ["hr"]}]}
    assert (await admin.put("/triggers/t", {**TRIGGER, **words})).status == 201
    assert (await admin.delete("/queues/hr")).status == 204


@requirement("A8.06")
async def test_agents_see_the_macros_of_their_queues(gateway: Gateway) -> None:
    admin = await desk(gateway)
    kari, ola, per = (
        await gateway.person("kari", "agent"),
        await gateway.person("ola", "agent"),
        await gateway.person("per", "customer"),
    )
    members = [{"person": "kari", "rights": ["read"]}]
    await admin.put("/queues/it", {"slug": "it", "name": "it", "members": members})
    for slug, queues in (("all", []), ("both", ["hr", "it"]), ("hr", ["hr"]), ("it", ["it"])):
        assert (await admin.put(f"/macros/{slug}", {**MACRO, "slug": slug, "queues": queues})).status == 201
    for who, seen in ((admin, "all both hr it"), (kari, "all both it"), (ola, "all"), (per, "")):
        assert [each["slug"] for each in (await who.get("/macros")).body["items"]] == seen.split()
        for slug in ("all", "both", "hr", "it"):
            assert (await who.get(f"/macros/{slug}")).status == (200 if slug in seen.split() else 404)
    first = (await kari.get("/macros?limit=2")).body
    assert [each["slug"] for each in first["items"]] == ["all", "both"]
    rest = (await kari.get(f"/macros?limit=2&cursor={first['next_cursor']}")).body
    assert [each["slug"] for each in rest["items"]] == ["it"] and rest["next_cursor"] is None
    assert (await kari.get("/macros/it/history")).status == 403
    assert (await kari.get("/macros/hr/history")).status == 404
    for path in ("/queues/hr", "/templates/known"):
        answers = [
            (await admin.put("/macros/it", {**MACRO, "slug": "it", "then": [{"do": "reply", "template": "known"}]}))
        ]
        assert answers[0].status == 200
        assert (await admin.delete(path)).status == 409


@requirement("A9.02")
async def test_only_administrators_see_triggers(gateway: Gateway) -> None:
    admin = await desk(gateway)
    kari, per = await gateway.person("kari", "agent"), await gateway.person("per", "customer")
    assert (await admin.put("/triggers/t", TRIGGER)).status == 201
    for who in (kari, per):
        assert (await who.get("/triggers")).status == 403
        assert (await who.get("/triggers/t")).status == 404
        for answer in (await who.put("/triggers/t", TRIGGER), await who.delete("/triggers/t")):
            assert answer.status == 403
        assert (await who.get("/triggers/t/history")).status == 403
