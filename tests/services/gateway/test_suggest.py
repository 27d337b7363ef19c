"""Suggestions as one types: by the beginnings of words, and only of what one may see."""

import asyncio
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.gateway import document_names, document_rows
from tests.services.gateway.conftest import Client, Gateway
from tests.services.gateway.test_configuration import IT
from tests.services.gateway.upstream import Asked, response
from tests.specs.requirement import requirement

TICKET = {"kind": "ticket", "id": "1", "label": "Printer", "detail": "2026"}


@pytest.fixture
async def desk(gateway: Gateway) -> Gateway:
    """Reporting suggests one ticket, whatever is typed."""

    async def suggests(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        if asked.target.startswith("/internal/suggestions?"):
            writer.write(response(body=orjson.dumps({"items": [TICKET]})))
        else:
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        return True

    gateway.service.behaviour = suggests
    admin = await gateway.admin()
    for slug, name in (("acme", "Acme Ålesund"), ("blue-whale", "Blue Whale")):
        assert (await admin.put(f"/companies/{slug}", {"slug": slug, "name": name, "domains": []})).status == 201
    await gateway.person("kari", "agent", name="Kari Nordmann")
    await gateway.person("eva", "agent", name="Eva Órla")
    await gateway.person("per", "customer", name="Per Ångström", email="per@acme.example")
    for slug, login in (("it", "kari"), ("its-secret", "eva")):
        members = [{"person": login, "rights": ["read"]}]
        await admin.put(
            f"/queues/{slug}", {**IT, "slug": slug, "name": slug.upper(), "address": None, "members": members}
        )
    for slug, offered in (("printer", True), ("printing-press", False)):
        topic = {"slug": slug, "name": slug.title(), "queue": "it", "offered_to_customers": offered}
        assert (await admin.put(f"/topics/{slug}", topic)).status == 201
    return gateway


async def suggested(who: Client, q: str, kinds: str = "") -> list[tuple[str, str]]:
    answer = await who.get(f"/suggest?q={quote(q)}" + (f"&kinds={kinds}" if kinds else ""))
    assert answer.status == 200, answer
    return [(each["kind"], each["label"]) for each in answer.body["items"]]


@requirement("A11.05")
@requirement("A11.10")
async def test_the_beginnings_of_words_suggest_what_has_such_names(desk: Gateway) -> None:
    kari = await desk.session_of("kari")
    for q, kinds, wanted in (
        ("nord ka", "person", [("person", "Kari Nordmann")]),
        ("ORLA", "person", [("person", "Eva Órla")]),
        ("angstr", "customer", [("customer", "Per Ångström")]),
        ("per@ac", "customer", [("customer", "Per Ångström")]),
        ("ale", "company", [("company", "Acme Ålesund")]),
        ("blue-wh", "company", [("company", "Blue Whale")]),
        ("whale nothing", "company", []),
        ("it", "queue", [("queue", "IT")]),
        ("print", "topic", [("topic", "Printer"), ("topic", "Printing-Press")]),
        ("per", "customer,ticket", [("customer", "Per Ångström"), ("ticket", "Printer")]),
    ):
        assert await suggested(kari, q, kinds) == wanted, q


async def test_nobody_is_suggested_what_they_may_not_see(desk: Gateway) -> None:
    per, kari, eva = [await desk.session_of(login) for login in ("per", "kari", "eva")]
    assert await suggested(kari, "its", "queue") == []
    assert await suggested(eva, "its", "queue") == [("queue", "ITS-SECRET")]
    for q in ("kari", "per", "acme", "it"):
        assert {kind for kind, _ in await suggested(per, q)} <= {"ticket", "topic"}
    assert await suggested(per, "print", "topic,queue,person") == [("topic", "Printer")]
    assert [asked for asked in desk.service.asked if "tag" in asked.target or "address" in asked.target] == []
    assert (await desk.anonymous.get("/suggest?q=it")).status == 401


async def test_a_saved_search_is_suggested_to_those_who_may_read_it(desk: Gateway) -> None:
    kari, eva = [await desk.session_of(login) for login in ("kari", "eva")]
    await kari.put("/searches/jams", {"slug": "jams", "name": "Paper Jams", "q": "jam", "shared_with": ["it"]})
    assert await suggested(kari, "jam", "search") == [("search", "Paper Jams")]
    assert await suggested(await desk.admin(), "paper", "search") == [("search", "Paper Jams")]
    assert await suggested(eva, "jam", "search") == []
    assert await suggested(kari, "%", "search") == []


async def test_names_follow_their_documents(desk: Gateway) -> None:
    admin, kari = await desk.admin(), await desk.session_of("kari")
    await admin.put("/companies/acme", {"slug": "acme", "name": "Zenith", "domains": []})
    assert await suggested(kari, "ale", "company") == [] and await suggested(kari, "zen", "company")
    await admin.delete("/companies/acme")
    assert await suggested(kari, "zen", "company") == []
    await desk.pool.execute("DELETE FROM gateway.names")  # as after an update from a version that kept none
    assert await suggested(kari, "blue", "company") == []
    await document_rows.write_missing_names(desk.pool)
    assert await suggested(kari, "blue", "company") == [("company", "Blue Whale")]


async def test_at_most_ten_of_a_kind_and_only_known_kinds(desk: Gateway) -> None:
    kari, admin = await desk.session_of("kari"), await desk.admin()
    for n in range(12):
        await admin.put(f"/companies/north-{n}", {"slug": f"north-{n}", "name": f"North {n}", "domains": []})
    assert len(await suggested(kari, "north", "company")) == 10
    refused = await kari.get("/suggest?q=x&kinds=company,colour")
    assert (refused.status, refused.body["errors"][0]["pointer"]) == (422, "/query/kinds")
    assert await suggested(kari, "   ") == [] and await suggested(kari, "x" * 10_000, "company") == []


async def test_without_reporting_the_answer_says_so(gateway: Gateway) -> None:
    kari = await gateway.person("kari", "agent")

    async def broken(asked: Asked, writer: asyncio.StreamWriter) -> bool:
        writer.write(response("500 Internal Server Error"))
        return True

    gateway.service.behaviour = broken
    assert (await kari.get("/suggest?q=x&kinds=ticket")).status == 503
    assert (await kari.get("/suggest?q=x&kinds=company")).status == 200


@given(st.lists(st.text(max_size=300), max_size=5))
def test_any_name_has_words_that_fit(names: list[str]) -> None:
    found: list[Any] = document_names.words(names)
    assert len(found) == len(set(found)) <= document_names.MOST_WORDS
    assert all(0 < len(word) <= document_names.LONGEST_WORD and word == word.strip() for word in found)
