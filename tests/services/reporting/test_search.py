"""Searching tickets over HTTP: what finds what, and who finds it."""

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from shared.contracts.directory import Company, Member, Person, Queue
from shared.contracts.parts import Address, CustomerRef, PersonRef, QueueRef, TicketRef
from shared.contracts.routing import (
    CustomerChanged,
    MergeUndone,
    OwnerChanged,
    StateChanged,
    TagsAdded,
    TagsRemoved,
    TicketAbsorbed,
    TicketMerged,
    TicketMoved,
    TicketReleased,
    TicketRemoved,
    TicketRenamed,
)
from shared.http.identity import HEADER, sign
from shared.rules.access import Identity
from shared.rules.states import CLOSED_SUCCESSFUL, NEW
from shared.testing.documents import seed
from shared.testing.keys import SIGNING
from shared.timestamps import timestamp
from tests.services.reporting.reporting_database import START, Reporting
from tests.services.reporting.searching import Searched, searched
from tests.services.reporting.test_deadlines import MINUTE, broken, clock, warned
from tests.specs.requirement import requirement

KARI = Identity(
    person_id=UUID(int=1), kind="agent", login="kari", name="Kari", email="kari@help.example", roles=("agent",)
)
EVA = KARI.model_copy(update={"person_id": UUID(int=2), "login": "eva", "email": "eva@help.example"})
PER = Identity(
    person_id=UUID(int=20), kind="customer", login="per", name="Per", email="per@acme.example", roles=("customer",),
    company="acme",
)  # fmt: skip
PIA = PER.model_copy(update={"person_id": UUID(int=22), "login": "pia", "name": "Pia", "email": "pia@acme.example"})
MAX = PER.model_copy(
    update={"person_id": UUID(int=21), "login": "max", "name": "Max", "email": "max@other.example", "company": None}
)
ADMIN = KARI.model_copy(update={"person_id": UUID(int=9), "kind": "admin", "login": "admin", "roles": ("admin",)})
WORK = ("read", "note", "work")
IT = Queue(id=UUID(int=10), slug="it", name="IT support", members=(Member(person=KARI.person_id, rights=WORK),))
HR = Queue(id=UUID(int=11), slug="hr", name="Staff", members=(Member(person=ADMIN.person_id, rights=WORK),))
IT_PLACE, HR_PLACE = (QueueRef(id=q.id, slug=q.slug, name=q.name) for q in (IT, HR))
PER_REF = CustomerRef(id=PER.person_id, email=PER.email, name="Per Nordmann", company="acme")
MAX_REF = CustomerRef(id=MAX.person_id, email=MAX.email, name="Max")
BY = PersonRef(id=KARI.person_id, name="Kari")


@pytest.fixture
async def desk(live_desk: Reporting, tmp_path: Path) -> AsyncIterator[Searched]:
    people = [
        Person(id=each.person_id, login=each.login, name=each.name, email=each.email, roles=each.roles)
        for each in (KARI, EVA, PER, PIA, MAX)
    ]
    await seed(live_desk.app_url, IT, HR, *people)
    async with searched(live_desk, tmp_path) as made:
        yield made


LANGUAGES = (
    ("en", "The printers were burning in the office", "printer", "BURN", "burned"),
    ("nb", "Bilene står i garasjen på jobben", "bilen", "garasjer", "star"),
    ("sv", "Cyklarna har stulits och fönster är trasiga", "cyklar", "fonster"),
    ("nl", "De fietsen zijn uit de kelder gestolen", "fiets", "kelders"),
    ("ru", "Принтеры сломались, и счёт не пришёл", "принтера", "СЧЕТ"),
    ("de", "Die Häuser in der Straße haben keinen Strom", "haus", "strasse"),
    ("fr", "Les imprimantes ont causé des dégâts", "imprimante", "degats"),
    ("es", "Las impresoras están rotas desde mañana", "impresora", "manana"),
)


@requirement("A11.01", "A11.02", "A11.03", "A11.04", "A11.08", "A11.10", "A2.16")
async def test_each_line_of_the_contract(desk: Searched) -> None:
    languages = {code: (await desk.open(IT_PLACE, MAX_REF, "talk", text))[0] for code, text, *_ in LANGUAGES}
    for code, _, *asked in LANGUAGES:
        for q in asked:
            assert await desk.hits(f"talk {q}", KARI) == [languages[code]], (code, q)
    x, _ = await desk.open(IT_PLACE, MAX_REF, "words one", "crimson kettle leaks daily; AB-1234/7 in plan_9.pdf")
    y, _ = await desk.open(IT_PLACE, MAX_REF, "words two", "crimson lamp, silver kettle at l'eau, http://x.example/a")
    z, _ = await desk.open(IT_PLACE, MAX_REF, "words three", "silver lamp")
    await desk.reply(x, BY, "vermilion in another article")
    k, number = await desk.open(
        IT_PLACE, PER_REF, "quark keyed", "plum", files=["blueprint final.pdf"], subject="gluon",
        cc=[Address(email="cc@copy.example", name="Boson")], to=[Address(email="it@help.example", name="")],
        fields={"room": "K1 north", "size": 12, "parts": ["axle", "wheel"], "urgent": True},
    )  # fmt: skip
    await desk.happen(k, TagsAdded(tags=("vip-case",)), OwnerChanged(to=BY, was=None))
    await desk.happen(k, StateChanged(to=CLOSED_SUCCESSFUL, was=NEW, by=BY))
    other, _ = await desk.open(HR_PLACE, MAX_REF, "other keyed", "")
    for q, *want in (
        ("kettle crimson", x, y), ('"crimson kettle"', x), ('"kettle crimson"',), ("kettle -leaks", y), ("ket*", x, y), ("leaks ke*", x), ("AB-12*", x), ("AB-123*", x), ("kettle body:le*", x),
        ("AB-13*",),
        ("kettle*", x, y), ("leaks OR silver", x, y, z), ("vermilion leaks", x), ("silver words", y, z),
        ('body:"crimson kettle"', x), ("words silv* -kettle", z), ("words -crimson", z), ('words -"silver lamp"', x, y),
        ('"daily vermilion"',), ("AB-1234/7", x), ("1234", x), ("ab 7", x), ("plan_9.pdf", x), ("eau", y),
        ("http://x.example/a", y), ('"lamp silver"', y), ('"silver ket"*', y), ("(leaks OR silver) kettle", x, y),
        ("title:quark", k), ("title:gluon",), ("subject:gluon", k), ("subject:quark",), ("body:plum", k), ("body:quark",),
        ("from:per@acme.example", k), ("from:nordmann", k), ("cc:boson", k), ("cc:cc@copy.example", k), ("from:boson",),
        ("to:it@help.example", k), ("attachment:blueprint", k), ("attachment:plum",), ("attachment:blueprint-final.pdf", k),
        ("customer:nordmann", k), ("customer:per@acme.example", k), ("company:acme", k), ("tag:vip-case", k), ("tag:vip", k),
        ("field.room:k1", k), ('field.room:"k1 north"', k), ("field.room:axle",), ("field.parts:axle", k), ("axle", k),
        ("field.size:12", k), ("field.urgent:true", k), ("field.urgent:false",), ("keyed true",),
        ("field.nope:k1",), (f"number:{number}", k), ("number:12",), (number, k),
        (f"Ticket#{number}", k), (f"[Ticket#{number}]", k), ("keyed queue:it", k), ('keyed queue:"it support"', k),
        ("keyed state:closed-successful", k), ("keyed state:closed", k), ('keyed state:"closed successful"', k),
        ("keyed owner:kari", k), ("keyed owner:me", k), ("keyed owner:kari@help.example", k), ("keyed -owner:kari",),
        ("keyed owner:eva",), ("keyed queue:nowhere",), ("keyed queue:hr",), ("acme", k), ("vip", k), ("boson gluon", k),
        ("quark OR queue:nowhere", k), ("keyed -state:new", k), ("qu*", k), ("title:qu*", k), ("colour:red",),
    ):  # fmt: skip
        assert sorted(await desk.hits(q, KARI)) == sorted(want), q
    assert other in await desk.hits("keyed", ADMIN)
    for parameters, tickets in (
        ({"state": "closed-successful"}, [k]), ({"queue": "it", "owner": "kari"}, [k]), ({"tag": "vip-case"}, [k]),
        ({"owner": ["kari", "eva"]}, [k]),
        ({"customer": "per@acme.example"}, [k]), ({"priority": [1, 2]}, []), ({"created_to": "2026-01-01T00:00:00Z"}, []),
        ({"locked": "true"}, []), ({"state_type": ["closed", "open"]}, [k]), ({"company": "acme", "available": "true"}, [k]),
    ):  # fmt: skip
        assert await desk.hits("keyed", KARI, **parameters) == tickets, parameters


@requirement("A13.05", "A5.17")
async def test_hits_are_filtered_by_deadlines(desk: Searched) -> None:
    """Agents' hits; a customer's are never found by them."""
    near, _ = await desk.open(IT_PLACE, PER_REF, "kettle")
    late, _ = await desk.open(IT_PLACE, PER_REF, "kettle")
    await desk.open(IT_PLACE, PER_REF, "kettle")
    await desk.happen(near, clock())
    await desk.happen(late, clock(), warned(), broken())
    for who, parameters, found in (
        (KARI, {"escalated": "true"}, [late]), (KARI, {"due_before": timestamp(START + 21 * MINUTE)}, [near]),
        (KARI, {"due_before": timestamp(START + 20 * MINUTE)}, []), (PER, {"escalated": "true"}, []),
        (PER, {"due_before": timestamp(START + 21 * MINUTE)}, []),
    ):  # fmt: skip
        assert await desk.hits("kettle", who, **parameters) == found, (who.name, parameters)
    assert len(await desk.hits("kettle", PER, escalated="false")) == 3
    item = (await desk.ask("kettle", KARI, escalated="true"))["items"][0]["ticket"]
    assert (item["escalated"], item["deadlines"][0]["state"]) == (True, "broken")


@requirement("A11.09", "A14.09")
async def test_what_is_internal_never_shows_to_a_customer(desk: Searched) -> None:
    shown, _ = await desk.open(IT_PLACE, PER_REF, "shown", "zirconium in the open")
    other, _ = await desk.open(IT_PLACE, PER_REF, "hidden", "nothing said")
    await desk.note(other, BY, "zirconium molybdenum within", subject="rhodium")
    await desk.note(shown, BY, "beside zirconium stands palladium")
    await desk.happen(other, TagsAdded(tags=("osmium",)))
    theirs, _ = await desk.open(HR_PLACE, MAX_REF, "strontium", "yttrium")
    assert sorted(await desk.hits("zirconium", KARI)) == sorted([shown, other])
    secret = ("molybdenum", "rhodium", "palladium", "osmium", "within", "stands", "strontium", "yttrium")
    for who in (PER, PIA):
        assert await desk.hits("zirconium", who) == [shown]
        assert await desk.hits("hidden -molybdenum", who) == [other]
        assert await desk.hits("hidden -rhod*", who) == [other]
        assert await desk.hits("-palladium", who) == await desk.hits("", who)
        assert sorted(await desk.hits("", who)) == sorted([shown, other])
        assert await desk.hits("shown OR molybdenum", who) == [shown]
        for q in (
            "molybdenum", "molybden*", "body:molybdenum", "zirconium palladium", '"zirconium stands"', "subject:rhodium",
            "osmium", "tag:osmium", "osm*", "molybdenun", "osmiun", "palladlum", "strontlum", "yttrlum", "rhodlum",
            "tag:os* OR title:zz", "number:2026112310000003", "2026112310000003", "strontium", "max@other.example",
        ):  # fmt: skip
            found = await desk.ask(q, who)
            assert (found["items"], found["count"]["value"], found["did_you_mean"]) == ([], 0, None), q
        for q in ("zirconium", "shown", "hidden", "zircon*", ""):
            answer = str(await desk.ask(q, who))
            assert not any(word in answer for word in secret), q
        for name, value in (("tag", "osmium"), ("locked", "true"), ("reminder_due", "true"), ("queue", "hr")):
            assert await desk.hits("hidden", who, **{name: value}) == []
        suggested = await desk.search.suggestions("sho", ["ticket", "tag", "address"], 10, who)
        assert [each["label"] for each in suggested] == ["shown"]
    for stranger in (EVA, MAX):
        for q in ("zirconium", "shown", "zircon*", "zirconlum", "queue:it", "customer:per", "", "state:new -x"):
            found = await desk.ask(q, stranger)
            assert [i["ticket"]["id"] for i in found["items"]] == (
                [str(theirs)] if stranger is MAX and q in ("", "state:new -x") else []
            )
            assert found["did_you_mean"] is None, q
        for text in ("sho", "osm", "per", "2026112310"):
            assert [
                s
                for s in await desk.search.suggestions(text, ["ticket", "tag", "address"], 10, stranger)
                if s["id"] != str(theirs)
            ] == []
    assert [s["label"] for s in await desk.search.suggestions("osm", ["tag"], 10, KARI)] == ["osmium"]
    assert [s["id"] for s in await desk.search.suggestions("per@", ["address"], 10, KARI)] == ["per@acme.example"]
    assert [s["id"] for s in await desk.search.suggestions("2026112310000001", ["ticket"], 10, KARI)] == [str(shown)]


@requirement("A11.12")
async def test_a_hit_shows_where_and_why(desk: Searched) -> None:
    long = "filler words " * 60 + "here the compressors leaked badly " + "more filler " * 60
    ticket, number = await desk.open(
        IT_PLACE, PER_REF, "Compressor trouble", long, files=["compressor.pdf"], fields={"room": "K1"}
    )
    await desk.happen(ticket, TagsAdded(tags=("leaks",)))
    await desk.note(ticket, BY, "ask the compressor people")

    async def shown(q: str, who: Identity) -> list[tuple[str, list[str]]]:
        (item,) = (await desk.ask(q, who))["items"]
        return [(m["attribute"], [part["text"] for part in m["text"] if part["hit"]]) for m in item["matches"]]

    assert await shown("compressor", KARI) == [("title", ["Compressor"]), ("body", ["compressors"])]
    assert await shown("leak", KARI) == [("tag", ["leaks"]), ("body", ["leaked"])]
    assert await shown("leak", PER) == [("body", ["leaked"])]
    assert await shown('"compressors leaked" k1', KARI) == [("field.room", ["K1"]), ("body", ["compressors leaked"])]
    assert await shown("compressor.pdf", KARI) == [("attachment", ["compressor.pdf"])]
    assert await shown("people", KARI) == [("body", ["people"])]
    assert await shown(number, KARI) == [("number", [number])]
    assert await shown("nordmann", PER) == [("customer", ["Per"])] or await shown("from:nordmann", PER)
    (item,) = (await desk.ask("leaked", KARI))["items"]
    (place,) = (m for m in item["matches"] if m["attribute"] == "body")
    text = "".join(part["text"] for part in place["text"])
    assert (place["number"], UUID(place["article"]).int > 0, len(text) < 300, "leaked badly" in text) == (
        1,
        True,
        True,
        True,
    )


@requirement("A11.02")
async def test_numbers_and_addresses_rank_first_then_titles_then_newer_ones(desk: Searched) -> None:
    named, number = await desk.open(IT_PLACE, PER_REF, "old", "first of all")
    titled, _ = await desk.open(IT_PLACE, MAX_REF, f"about {number} of per@acme.example and tungsten", "")
    older, _ = await desk.open(IT_PLACE, MAX_REF, "x", f"see {number} of per@acme.example, tungsten")
    newer, _ = await desk.open(IT_PLACE, MAX_REF, "y", f"see {number} of per@acme.example, tungsten {number}")
    for q in (number, f"Ticket#{number}", "per@acme.example"):
        assert await desk.hits(q, KARI) == [named, titled, newer, older]
    assert await desk.hits("tungsten", KARI) == [titled, newer, older]
    assert await desk.hits("tungsten", KARI, sort="created_at") == [titled, older, newer]
    await desk.note(older, BY, "touched")
    assert await desk.hits("tungsten", KARI, sort="-updated_at") == [older, newer, titled]
    assert await desk.hits("tungsten", KARI, sort="updated_at") == [titled, newer, older]


async def test_the_index_follows_moves_merges_names_tags_and_what_is_undone(desk: Searched) -> None:
    one, first = await desk.open(IT_PLACE, PER_REF, "tale one", "taleax")
    two, second = await desk.open(IT_PLACE, MAX_REF, "tale two", "talebx")
    here, there = TicketRef(id=one, number=first), TicketRef(id=two, number=second)
    assert await desk.hits("taleax", KARI) == [one]
    await desk.happen(one, TicketMoved(to=HR_PLACE, was=IT_PLACE, by=BY))
    assert (await desk.hits("taleax", KARI), await desk.hits("taleax", ADMIN)) == ([], [one])
    await desk.happen(one, TicketMoved(to=IT_PLACE, was=HR_PLACE, by=BY))
    assert await desk.hits("taleax talebx", KARI) == []
    await desk.happen(one, TicketMerged(into=there, was=NEW, by=BY))
    await desk.happen(two, TicketAbsorbed(other=here, by=BY))
    for q in ("taleax talebx", "taleax", first, second, f"number:{first}"):
        assert await desk.hits(q, KARI) == [two], q
    # Of the other customer's ticket, only what is an article of this one now.
    assert await desk.hits("taleax", MAX) == [two]
    for q in (first, "customer:per", "company:acme", 'title:"tale one"'):
        assert await desk.hits(q, MAX) == [], q
    await desk.happen(one, MergeUndone(into=there, state=NEW, by=BY))
    await desk.happen(two, TicketReleased(other=here, by=BY))
    assert await desk.hits("taleax talebx", KARI) == []
    assert (await desk.hits("taleax", KARI), await desk.hits(first, KARI)) == ([one], [one])
    await desk.happen(one, TicketRenamed(to="saga", was="tale one", by=BY), TagsAdded(tags=("lore",)))
    assert await desk.hits("title:saga tag:lore", KARI) == [one]
    await desk.happen(one, TicketRenamed(to="epic", was="saga", by=BY), TagsRemoved(tags=("lore",)))
    assert [await desk.hits(q, KARI) for q in ("title:epic", "title:saga", "tag:lore")] == [[one], [], []]
    assert await desk.search.suggestions("lor", ["tag"], 10, KARI) == []
    await desk.happen(one, CustomerChanged(to=MAX_REF, was=PER_REF, by=BY))
    assert [await desk.hits("epic", who) for who in (PER, MAX)] == [[], [one]]
    await desk.happen(one, TicketRemoved(because="test", was=NEW))
    assert [await desk.hits("epic", who) for who in (KARI, MAX, ADMIN)] == [[], [], []]


@requirement("A11.02")
async def test_people_companies_and_queues_are_found_by_their_names_of_today(desk: Searched) -> None:
    acme = Company(id=UUID(int=30), slug="acme", name="Umbrella Industries")
    await seed(desk.rows.app_url, acme)
    ticket, _ = await desk.open(IT_PLACE, PER_REF, "keyed", "")
    foreign, _ = await desk.open(HR_PLACE, PER_REF, "keyed", "")
    await desk.happen(ticket, OwnerChanged(to=BY, was=None))
    titled, _ = await desk.open(IT_PLACE, MAX_REF, "about petra", "")
    changed = [
        Person(id=who.person_id, login=who.login, name=name, email=who.email, roles=who.roles)
        for who, name in ((PER, "Petra Nilsson"), (KARI, "Karianne Olsen"))
    ]
    await seed(desk.rows.app_url, *changed)
    for q in (
        "nilsson", "customer:nilsson", 'customer:"petra nilsson"', "nils*", "umbrella", 'company:"umbrella industries"',
        "company:umbrella", "company:acme", "owner:karianne", 'owner:"Karianne Olsen"', "customer:nordmann",
        "queue:support", 'queue:"IT supp"*', "keyed -owner:eva",
    ):  # fmt: skip
        assert ticket in await desk.hits(q, KARI), q
        assert foreign not in await desk.hits(q, KARI), q
        assert await desk.hits(q, EVA) == [], q
    for q, place in (("industries", ("company", "Industries")), ("nilsson", ("customer", "Nilsson"))):
        (item,) = (await desk.ask(q, KARI))["items"]
        hits = [(m["attribute"], part["text"]) for m in item["matches"] for part in m["text"] if part["hit"]]
        assert hits == [place]
    for q in ("title:nilsson", "company:nilsson", 'customer:"nilsson petra"', "owner:petra", "keyed -umbrella"):
        assert await desk.hits(q, KARI) == [], q
    assert await desk.hits("petra", KARI) == [titled, ticket]
    assert sorted(await desk.hits("nilsson", PER)) == sorted([ticket, foreign])
    assert [await desk.hits(q, MAX) for q in ("nilsson", "umbrella")] == [[], []]
    assert await desk.hits("keyed state:clo*", KARI) == []


async def test_pages_are_complete_in_order_and_stable_while_tickets_come(desk: Searched) -> None:
    made = [(await desk.open(IT_PLACE, PER_REF, "many" if n % 3 else "bulk many", "bulk"))[0] for n in range(230)]
    for n, ticket in enumerate(made[::7]):
        await desk.note(ticket, BY, f"touched {n}")
    found = await desk.ask("bulk", KARI, limit=1)
    assert found["count"] == {"value": 201, "exact": False}
    for sort in ("relevance", "created_at", "-created_at", "updated_at", "-updated_at"):
        rows: list[Any] = []
        cursor: dict[str, str] = {}
        while True:
            page = await desk.ask("bulk", KARI, sort=sort, limit=60, **cursor)
            rows += [item["ticket"] for item in page["items"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
            await desk.open(IT_PLACE, PER_REF, "late", "bulk")
        ids = [UUID(row["id"]) for row in rows]
        assert len(ids) == len(set(ids)) and set(made) <= set(ids), sort
        if sort == "relevance":
            keys = [("bulk" not in row["title"], row["created_at"]) for row in rows]
            assert [titled for titled, _ in keys] == sorted(titled for titled, _ in keys)
            assert all(a[1] >= b[1] for a, b in pairwise(keys) if a[0] == b[0])
        else:
            times = [row[sort.lstrip("-")] for row in rows]
            assert times == sorted(times, reverse=sort.startswith("-"))
    every = [ticket async for part in desk.search.every(await _asked(desk, "bulk")) for ticket in part]
    assert len(every) == len(set(every)) > 230


async def _asked(desk: Searched, q: str) -> Any:
    from services.reporting.tickets.list_query import FilterQuery

    return await desk.search.asked(q, FilterQuery(), "relevance", KARI)


async def test_a_typing_error_is_met_with_a_word_that_the_person_may_see(desk: Searched) -> None:
    ticket, _ = await desk.open(IT_PLACE, PER_REF, "Vibrations", "The Compressors are loud; принтеры сломались")
    for q, want in (
        ("compresors", "Compressors"), ("vibratoins", "Vibrations"), ("xcompressors", "Compressors"),
        ("loud compresxor", "loud Compressors"), ("принтеры", None), ("принтеыр", "принтеры"), ("body:compresor", "body:Compressors"),
        ("qqqqqqqq", None), ("compressor", None), ("lod", None),
    ):  # fmt: skip
        for who in (KARI, PER):
            found = await desk.ask(q, who)
            assert found["did_you_mean"] == want, (q, who.login)
    assert (await desk.ask("compresors", EVA))["did_you_mean"] is None
    assert await desk.hits("compressor", PER) == [ticket]


ODD = [
    '"unbalanced', 'a "b', "-", "--- - -", "*", "a* *b **", "OR", "a OR", "OR OR OR", "()", "((a", "' OR 1=1 --", "%", "_%\\", "\\",
    "[a-", ".*(", "a|b&c!d<->e", ":*", "a:", ":a", "subject:", 'subject:"', "field.:x", "colour:red", "number:x", "state:x", "queue:",
    "http://x:y", "<script>", "\u200b", "a\u200bb", "\u202eabc", "\ufeff", "\U0001f98a", "e\u0301", "\x00", "a\x00b", "\t\n", "", " ",
    "x" * 10_000, "word " * 2_000, '"' * 9_999, "-" * 10_000, "a OR " * 2_000, "subject:" * 1_250, "\u6f22\u5b57 " * 300,
    'NEAR("a b", 2)', "a AND NOT b", "{body}: a", "body : a + b", "^a", "the of and", "ab*", "a* b* c* d* e* f* g* h* i* j* k*",
    " ".join(f"w{n}*" for n in range(40)), '"' + "the " * 200 + '"', "-a -b -c", "-a OR -b", "state:open OR a", "-queue:it OR b*",
]  # fmt: skip


async def test_no_input_is_an_error_and_bad_parameters_are(desk: Searched) -> None:
    await desk.open(IT_PLACE, PER_REF, "the of and", "a b c")
    for who in (KARI, PER):
        for q in ODD:
            await desk.ask(q, who)
    assert len(await desk.hits("the of and", KARI)) == 1
    for bad in (
        "sort=colour", "colour=red", "limit=0", "limit=201", "cursor=abc", "priority=nine", "as_of=2026-01-01T00:00:00Z",
        "created_from=9999-12-31T23:59:59Z&created_from=x", "state=nowhere",
    ):  # fmt: skip
        answer = await desk.client.get(f"/api/v1/search?q=x&{bad}", headers={HEADER: sign(KARI, "reporting", SIGNING)})
        assert answer.status_code == 422, (bad, answer.text)
    page = await desk.ask("a", KARI, limit=1)
    assert page["next_cursor"] is None
    answer = await desk.client.get("/api/v1/search?q=%ff%fe", headers={HEADER: sign(KARI, "reporting", SIGNING)})
    assert answer.status_code == 200
