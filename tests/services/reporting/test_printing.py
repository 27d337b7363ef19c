"""Tickets as pages to print or keep: `GET /tickets/{ref}/print`."""

import asyncio
import contextlib
import re
import zlib
from collections.abc import Iterator
from typing import Any, get_args
from uuid import uuid4
from zoneinfo import ZoneInfo

import orjson
import pytest

from services.reporting.printing import pdf_page
from services.reporting.printing.pdf_page import MODULE, TASK
from services.reporting.printing.printed import printed_article
from services.reporting.printing.words import HEADINGS, WORDS
from services.reporting.tickets.article_bodies import ArticleKind
from shared.bounded.processes import Ended, Processes
from shared.contracts.parts import Attachment, Blob
from tests.services.reporting.test_reading_api import EVA, IT, KARI, LISE, ONE, PER, TWO, Api, api, note
from tests.specs.requirement import requirement

__all__ = ["api"]
ATTACK = (
    '<script>alert(1)</script><img src="https://evil.example/a.png"><style>*{display:none}</style>'
    "<iframe src=javascript:alert(2)></iframe></pre></body>"
)
TYPST = (
    '#import "@preview/cetz:0.1.0": * #read("/etc/passwd") #image("http://evil.example/a.png") #panic("x") $ x^2 $'
    ' #include "file:///etc/passwd" ] ) } " \\" \\u{41} #eval("1+1") @label <label> = Heading // end /* end'
)

ARTICLE: dict[str, Any] = {
    "from": None,
    "author": "Kari",
    "to": [],
    "cc": [],
    "subject": "",
    "text": "x",
    "attachments": [],
    "created_at": "2026-11-23T08:00:00.000Z",
    "internal": False,
}


async def page(api: Api, path: str, who: object = KARI) -> str:
    answer = await api.get(f"/api/v1/tickets/{path}", who)  # type: ignore[arg-type]
    assert answer.status_code == 200, answer.text
    return answer.text


def attachment(name: str, size: int) -> Attachment:
    return Attachment(id=uuid4(), name=name, blob=Blob(sha256="0" * 64, size=size, type="image/png"))


@requirement("A18.03", "A7.20")
async def test_a_page_shows_the_ticket_and_what_its_reader_may_see(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.", attachment("hum & co.png", 1536))
    await api.happen(ticket, note("Per always says that."), note("We are looking.", internal=False))
    whole, theirs = await page(api, f"{ONE}/print"), await page(api, f"{ticket}/print", PER)
    for text in (
        ONE,
        "It hums.",
        "We are looking.",
        "hum &amp; co.png (1.5 KiB)",
        "2026-11-23 08:00 +00:00",
        IT.name,
        "Per",
    ):
        assert text in whole, text
        assert text in theirs, text
    assert "Per always says that." in whole
    assert "(internal)" in whole
    assert "Per always says that." not in theirs
    assert "internal" not in re.sub("<style>.*</style>", "", theirs, flags=re.DOTALL)


@requirement("A7.20")
async def test_one_article_is_printed_alone_and_a_hidden_one_does_not_exist(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.")
    await api.open(TWO, "It smells.")
    await api.happen(ticket, note("Per always says that."))
    first, internal = [item["id"] for item in (await api.read(f"/tickets/{ONE}/articles"))["items"]]
    other = (await api.read(f"/tickets/{TWO}/articles"))["items"][0]["id"]
    alone = await page(api, f"{ONE}/print?article={internal}")
    assert "Per always says that." in alone
    assert alone.count("<article") == 1
    assert (await page(api, f"{ONE}/print?article={first}", PER)).count("<article") == 1
    for path, who in (
        (f"{ONE}/print?article={internal}", PER), (f"{ONE}/print?article={internal}&format=pdf", PER),
        (f"{ONE}/print?article={other}", KARI), (f"{ONE}/print?article=x", KARI), (f"{ONE}/print?article={uuid4()}", KARI),
        (f"{ONE}/print", EVA), (f"{ONE}/print?format=pdf", EVA), (f"{ONE}/print", LISE), ("2011010110000011/print", KARI),
    ):  # fmt: skip
        assert (await api.get(f"/api/v1/tickets/{path}", who)).status_code == 404, path
    for bad in ("format=doc", "colour=red", "format="):
        assert (await api.get(f"/api/v1/tickets/{ONE}/print?{bad}")).status_code == 422, bad


async def test_a_page_runs_and_loads_nothing(api: Api) -> None:
    ticket = await api.open(ONE, ATTACK, attachment(ATTACK, 10))
    await api.happen(ticket, note(ATTACK + TYPST))
    answer = await api.get(f"/api/v1/tickets/{ONE}/print")
    assert not re.findall(r"<(?:script|img|iframe|link|object|embed|form|base|svg|video)\b", answer.text)
    assert not re.findall(r"\s(?:src|href|on\w+|style)\s*=", re.sub(r"&lt;.*?&gt;", "", answer.text))
    assert answer.text.count("<style>") == answer.text.count("</body>") == 1
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert answer.headers["content-disposition"] == f'inline; filename="ticket-{ONE}.html"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "&lt;script&gt;alert(1)" in answer.text


async def test_a_long_ticket_is_printed_whole(api: Api) -> None:
    ticket = await api.open(ONE, "It hums.")
    await api.happen(ticket, *(note(f"note {n} of many") for n in range(120)))
    assert re.findall(r"note (\d+) of many", await page(api, f"{ONE}/print")) == [str(n) for n in range(120)]
    only_theirs = await page(api, f"{ONE}/print", PER)
    assert "of many" not in only_theirs


@pytest.mark.parametrize(
    ("kind", "sender", "heading"),
    [
        ("message", "customer", "Message from the customer"),
        ("message", "system", "Message (automatic)"),
        ("close", "agent", "Note on closing from an agent"),
        ("call in", "agent", "Incoming call"),
        ("later", "robot", "later robot"),
    ],
)
def test_a_heading_says_what_an_article_is(kind: str, sender: str, heading: str) -> None:
    shown = {**ARTICLE, "kind": kind, "sender": sender}
    assert printed_article(shown, "", ZoneInfo("UTC"))["heading"] == heading


def test_every_kind_of_article_has_a_heading() -> None:
    assert set(HEADINGS) == set(get_args(ArticleKind))


@requirement("A18.03")
async def test_a_pdf_is_the_same_twice_and_lacks_notes_for_the_customer(api: Api) -> None:
    ticket = await api.open(ONE, "It hums. Привет 漢字 🦊 \u202eabc")
    await api.happen(ticket, note(ATTACK + TYPST + "word" * 500 + "\ttab\r\nlines\n\n\nmore"))
    whole = await api.get(f"/api/v1/tickets/{ONE}/print?format=pdf")
    theirs = await api.get(f"/api/v1/tickets/{ONE}/print?format=pdf", PER)
    for answer in (whole, theirs):
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/pdf"
        assert answer.content.startswith(b"%PDF-")
        assert b"%%EOF" in answer.content[-64:]
    assert whole.headers["content-disposition"] == f'inline; filename="ticket-{ONE}.pdf"'
    assert len(theirs.content) < len(whole.content)
    assert (await api.get(f"/api/v1/tickets/{ONE}/print?format=pdf")).content == whole.content
    inside = b"".join(_streams(whole.content))
    assert b"/Type/Page" in inside, "the document's objects are read"
    for name in (b"/URI", b"/JavaScript", b"/Launch", b"/GoToR", b"/EmbeddedFile"):
        assert name not in inside, name


def _streams(pdf: bytes) -> Iterator[bytes]:
    """The document, and the content of its streams."""
    yield pdf
    for packed in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        with contextlib.suppress(zlib.error):
            yield zlib.decompressobj().decompress(packed)


async def test_a_ticket_that_is_too_long_for_a_pdf_is_refused_clearly(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = await api.open(ONE, "It hums.")
    await api.happen(ticket, note("x" * 500))
    monkeypatch.setattr(pdf_page, "MOST_CHARACTERS", 100)
    answer = await api.get(f"/api/v1/tickets/{ONE}/print?format=pdf")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/query/format"


async def test_texts_that_are_slow_to_set_are_set_or_refused_at_once(api: Api) -> None:
    await api.open(ONE, "".join((letter + mark * 200) * 1_000 for letter, mark in ("z\u0301", "\u0627\u064b")))
    assert (await api.get(f"/api/v1/tickets/{ONE}/print?format=pdf")).status_code == 200
    long = await api.open(TWO, "It hums.")
    await api.happen(long, note("\n" * (pdf_page.MOST_LINES + 1)))
    answer = await api.get(f"/api/v1/tickets/{TWO}/print?format=pdf")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/query/format")


async def test_nobody_makes_others_wait_for_many_pdfs(api: Api) -> None:
    await api.open(ONE, "It hums. " * 20_000)
    path = f"/api/v1/tickets/{ONE}/print?format=pdf"
    answers = await asyncio.gather(*(api.get(path, who) for who in (KARI,) * 4 + (PER,)))
    assert sorted(answer.status_code for answer in answers[:4]) == [200, 200, 429, 429]
    assert answers[4].status_code == 200
    assert {a.headers.get("Retry-After") for a in answers if a.status_code == 429} == {"5"}
    assert (await api.get(path)).status_code == 200


@pytest.mark.parametrize(
    "attack",
    ['#import "@preview/cetz:0.1.0"', '#read("/etc/passwd")', '#read("../../etc/passwd")', '#image("http://x.example/a.png")',
     '#include "/etc/passwd"', '#plugin("/x.wasm")', '#json("file:///etc/passwd")'],
)  # fmt: skip
async def test_even_a_template_could_read_no_file_and_fetch_nothing(attack: str, tmp_path: object) -> None:
    """The second line of defence: the process that sets documents runs the attack itself as its template."""
    processes = Processes("tests.services.reporting.attacked_typesetter", 1, most_wait=20)
    try:
        (seen,) = await processes.ask("attack", attack.encode())
    finally:
        await processes.close()
    assert seen.startswith(b"refused: "), seen


async def test_a_process_that_sets_documents_can_open_nothing(tmp_path: object) -> None:
    processes = Processes("tests.services.reporting.attacked_typesetter", 1, most_wait=20)
    try:
        assert (await processes.ask("open", b"/etc/passwd"))[0] == b"Too many open files"
        assert (await processes.ask("connect", b""))[0] == b"Too many open files"
    finally:
        await processes.close()


async def test_a_document_that_takes_too_long_ends_its_process() -> None:
    processes = Processes(MODULE, 1, most_seconds=0.2)
    data = {"words": WORDS, "ticket": {"number": "1", "title": "x", "lines": []}, "timestamp": 0}
    article = {"heading": "x", "at": "x", "internal": False, "lines": [], "text": "words and more words\n" * 100_000}
    try:
        with pytest.raises(Ended) as ended:
            await processes.ask(TASK, orjson.dumps({**data, "articles": [article]}))
        assert ended.value.reason == "slow"
    finally:
        await processes.close()
