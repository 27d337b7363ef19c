"""Saved searches: one's own, shared with the members of a queue, and hidden from everybody else."""

import asyncio
from typing import Any

import orjson
import pytest

from services.gateway.account import saved_searches
from tests.services.gateway.conftest import Gateway
from tests.services.gateway.test_configuration import IT
from tests.services.gateway.upstream import Asked, response
from tests.specs.requirement import requirement

PRINTERS: dict[str, Any] = {
    "slug": "printers",
    "name": "Broken printers",
    "q": 'printer "paper jam"',
    "filters": {"queue": ["it"], "priority": [4, 5], "available": True},
    "sort": "-created_at",
    "columns": ["number", "title"],
    "shared_with": [],
}


async def two_queues(gateway: Gateway) -> None:
    admin = await gateway.admin()
    for slug, login in (("it", "kari"), ("hr", "eva")):
        members = [{"person": each, "rights": ["read"]} for each in {login, "nils"}]
        made = await admin.put(f"/queues/{slug}", {**IT, "slug": slug, "address": None, "members": members})
        assert made.status == 201, made


@requirement("A11.06")
@requirement("A11.11")
async def test_a_search_is_saved_shared_and_deleted(gateway: Gateway) -> None:
    kari, nils, eva = [await gateway.person(login, "agent") for login in ("kari", "nils", "eva")]
    per = await gateway.person("per", "customer")
    await two_queues(gateway)
    made = await kari.put("/searches/printers", PRINTERS)
    assert (made.status, made.headers["ETag"]) == (201, '"1"')
    read = await kari.get("/searches/printers")
    assert {name: read.body[name] for name in PRINTERS} == PRINTERS and read.body["mine"] is True
    for other in (nils, eva, per, await gateway.admin()):
        assert (await other.get("/searches/printers")).status == 404
        assert (await other.get("/searches")).body["items"] == []
        assert (await other.delete("/searches/printers")).status == 404

    shared = await kari.put("/searches/printers", {**PRINTERS, "shared_with": ["it"]}, headers={"If-Match": '"1"'})
    assert (shared.status, shared.body["shared_with"], shared.body["version"]) == (200, ["it"], 2)
    for member in (nils, await gateway.admin()):
        assert (await member.get("/searches/printers")).body["owner"]["name"] == "Kari"
        assert [each["mine"] for each in (await member.get("/searches")).body["items"]] == [False]
        assert (await member.put("/searches/printers", PRINTERS)).status == 403
        assert (await member.delete("/searches/printers")).status == 403
    for stranger in (eva, per):
        assert (await stranger.get("/searches/printers")).status == 404
        assert (await stranger.get("/searches")).body["items"] == []
    assert (await kari.delete("/searches/printers", headers={"If-Match": '"1"'})).status == 412
    assert (await kari.delete("/searches/printers")).status == 204
    assert [(await who.get("/searches/printers")).status for who in (kari, nils)] == [404, 404]


async def test_who_leaves_a_queue_no_longer_reads_what_it_shares(gateway: Gateway) -> None:
    kari, nils = [await gateway.person(login, "agent") for login in ("kari", "nils")]
    await gateway.person("eva", "agent")
    await two_queues(gateway)
    await kari.put("/searches/printers", {**PRINTERS, "shared_with": ["it"]})
    assert (await nils.get("/searches/printers")).status == 200
    await (await gateway.admin()).put("/queues/it", {**IT, "members": []})
    assert (await nils.get("/searches/printers")).status == 404
    assert (await kari.get("/searches/printers")).body["shared_with"] == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"shared_with": ["it", "hr"]}, "/shared_with/1"),
        ({"slug": "other"}, "/slug"),
        ({"name": ""}, "/name"),
        ({"colour": 1}, "/colour"),
    ],
)
async def test_wrong_searches_are_refused(gateway: Gateway, change: dict[str, Any], pointer: str) -> None:
    kari = await gateway.person("kari", "agent")
    await gateway.person("nils", "agent")
    await gateway.person("eva", "agent")
    await two_queues(gateway)
    answer = await kari.put("/searches/printers", {**PRINTERS, **change})
    assert (answer.status, [error["pointer"] for error in answer.body["errors"]]) == (422, [pointer])


async def test_a_customer_keeps_searches_but_cannot_share_them(gateway: Gateway) -> None:
    per = await gateway.person("per", "customer")
    await gateway.person("kari", "agent")
    await gateway.person("nils", "agent")
    await gateway.person("eva", "agent")
    await two_queues(gateway)
    assert (await per.put("/searches/printers", PRINTERS)).status == 201
    refused = await per.put("/searches/printers", {**PRINTERS, "shared_with": ["it"]})
    assert refused.status == 422 and refused.body["errors"][0]["pointer"] == "/shared_with/0"


async def test_what_reporting_refuses_is_refused_in_its_words(gateway: Gateway) -> None:
    kari = await gateway.person("kari", "agent")
    error = {"pointer": "/filters/colour", "detail": "This filter is not known."}

    async def refuse(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        assert orjson.loads(asked.body) == {name: PRINTERS[name] for name in ("q", "filters", "sort", "columns")}
        writer.write(response("422 Unprocessable Entity", orjson.dumps({"errors": [error]})))
        return True

    gateway.service.behaviour = refuse
    answer = await kari.put("/searches/printers", PRINTERS)
    assert (answer.status, answer.body["errors"]) == (422, [error])
    gateway.service.start_again()
    assert (await kari.get("/searches/printers")).status == 404


async def test_a_slug_is_one_persons_and_a_person_keeps_so_many(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    kari, eva = [await gateway.person(login, "agent") for login in ("kari", "eva")]
    assert (await kari.put("/searches/printers", PRINTERS)).status == 201
    assert (await eva.put("/searches/printers", {**PRINTERS, "name": "mine"})).status == 409
    assert (await kari.get("/searches/printers")).body["name"] == "Broken printers"
    monkeypatch.setattr(saved_searches, "MOST_OF_A_PERSON", 2)
    both = await asyncio.gather(*(kari.put(f"/searches/s{n}", {**PRINTERS, "slug": f"s{n}"}) for n in range(4)))
    assert sorted(answer.status for answer in both) == [201, 409, 409, 409]


async def test_the_list_comes_in_pages(gateway: Gateway) -> None:
    kari = await gateway.person("kari", "agent")
    for n in range(5):
        await kari.put(f"/searches/s{n}", {**PRINTERS, "slug": f"s{n}"})
    seen: list[str] = []
    cursor = ""
    while True:
        answer = await kari.get(f"/searches?limit=2{cursor}")
        seen += [each["slug"] for each in answer.body["items"]]
        if answer.body["next_cursor"] is None:
            break
        cursor = f"&cursor={answer.body['next_cursor']}"
    assert seen == ["s0", "s1", "s2", "s3", "s4"]
