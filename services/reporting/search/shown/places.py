"""Where a ticket was found, and why: texts with the words marked, from what its reader may see and nothing else."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from services.reporting.search.index.entries import field_texts, flag_text, shown_person
from services.reporting.search.query.question import Question, Term
from services.reporting.search.shown.marks import Marked, Part, applicable, marks, may_have, pattern
from shared.database import Pool

MOST_PLACES = 8
"""Of a ticket."""
BEFORE, CUT = 80, 260
"""Characters before a word in the text of an article, and of the whole piece that is shown."""
LONGEST_TEXT = 20_000
"""Characters of an article in which words are shown, and how many articles of a ticket are looked at."""
MOST_ARTICLES = 40
MOST_PATTERNS = 4
"""Terms that are looked for in texts. Others are marked where they stand beside them."""
MOST_HEADS = 2_000
"""Articles of a page whose subjects, people and files are looked at."""

FAMILIES = """
WITH RECURSIVE merged(root, id) AS (
    SELECT i, i FROM unnest($1::uuid[]) AS i
     UNION
    SELECT m.root, t.id FROM merged m JOIN desk.tickets t ON t.merged_into_id = m.id
)
"""
TEXTS = (
    FAMILIES
    + """
SELECT f.root, a.id, a.number, a.created_at, a.at, a.cut
  FROM merged f
 CROSS JOIN unnest($2::text[]) AS k(pattern)
 CROSS JOIN LATERAL (
        SELECT x.id, x.number, x.created_at, x.at, substring(x.text FROM greatest(1, x.at - {before}) FOR {cut}) AS cut
          FROM (SELECT a.id, a.number, a.created_at, a.text,
                       regexp_instr(CASE WHEN octet_length(a.text) <= {longest} THEN a.text
                                         ELSE left(a.text, {longest}) END, k.pattern) AS at
                  FROM {articles} a
                 WHERE a.ticket_id = f.id
                 ORDER BY a.created_at, a.number
                 LIMIT {most}) AS x
         WHERE x.at > 0
         LIMIT 1) AS a
"""
)
# The index has the articles of one ticket in order, so that no text behind the first match is read. `left` takes as long
# as the search itself, and most texts are short: the bytes of a text are known without reading it.
"""The first article of each ticket with a word that a pattern matches, and the text around it."""
HEADS = (
    FAMILIES
    + """
SELECT f.root, a.id, a.number, a.subject, a.people, a.attachments
  FROM merged f
  JOIN {articles} a ON a.ticket_id = f.id
 ORDER BY f.root, a.created_at, a.number
 LIMIT {most}
"""
)
BODIES = (
    FAMILIES
    + """
SELECT f.root, a.id, a.number, left(a.text, {longest}) AS text
  FROM merged f
  JOIN {articles} a ON a.ticket_id = f.id
 ORDER BY f.root, a.created_at, a.number
 LIMIT {most}
"""
)
FEW = 3
"""Tickets of a page whose texts are read as a whole, because the pattern has found nothing that can be marked."""

Place = dict[str, Any]


async def places(
    pool: Pool,
    question: Question,
    tickets: Mapping[UUID, dict[str, Any]],
    *,
    articles: str,
    company_names: Mapping[str, str],
) -> dict[UUID, list[Place]]:
    """The places of these tickets, which are as the API shows them to the reader.

    `articles` is the table or view of the articles that the reader may see; `company_names` has the names of companies
    that were found by them, by slug.
    """
    terms = [term for clause in question.clauses for term in clause if not term.without and not term.is_row]
    found = {ticket: _Places(terms) for ticket in tickets}
    if not terms or not tickets:
        return {ticket: [] for ticket in tickets}
    for ticket, shown in tickets.items():
        _add_ticket(found[ticket], shown, company_names)
    await _add_texts(pool, terms, found, articles)
    left = [ticket for ticket, known in found.items() if known.unexplained]
    if left:
        await _add_heads(pool, found, left, articles)
    left = [ticket for ticket in left if not found[ticket].places][:FEW]
    if left:
        await _add_whole_texts(pool, terms, found, left, articles)
    return {ticket: known.places[:MOST_PLACES] for ticket, known in found.items()}


class _Places:
    """The places of one ticket. `unexplained` are the terms that none of them shows yet."""

    def __init__(self, terms: Sequence[Term]) -> None:
        self.places: list[Place] = []
        self.unexplained = list(terms)

    def add(self, attribute: str, found: Marked, article: asyncpg.Record | None = None) -> None:
        self.places.append(_place(attribute, found.parts, article))
        self.unexplained = [term for term in self.unexplained if term not in found.terms]


def _place(attribute: str, parts: list[Part], article: asyncpg.Record | None = None) -> Place:
    return {
        "article": str(article["id"]) if article is not None else None,
        "number": article["number"] if article is not None else None,
        "attribute": attribute,
        "text": parts,
    }


def _add_ticket(found: _Places, shown: Mapping[str, Any], company_names: Mapping[str, str]) -> None:
    customer, terms = shown["customer"], found.unexplained
    texts = [
        ("number", shown["number"]),
        ("title", shown["title"]),
        ("customer", f"{customer['name'] or ''} {customer['email'] or ''}".strip()),
        ("company", customer["company"] or ""),
        ("company", company_names.get(customer["company"] or "", "")),
        *(("tag", tag) for tag in shown["tags"]),
        *((f"field.{slug}", text) for slug, value in shown["fields"].items() for text in field_texts(value)),
    ]
    flags = {f"field.{slug}": flag_text(value) for slug, value in shown["fields"].items() if isinstance(value, bool)}
    texts += [(term.attribute, flags[term.attribute]) for term in terms if term.attribute in flags]
    if not may_have([text for _, text in texts], terms):
        return
    for attribute, text in texts:
        wanted = applicable(terms, attribute)
        if wanted and text and (hits := marks(text, wanted)) is not None:
            found.add(attribute, hits)


async def _add_texts(pool: Pool, terms: Sequence[Term], found: dict[UUID, _Places], articles: str) -> None:
    wanted = applicable(terms, "body")
    if not wanted:
        return
    statement = TEXTS.format(articles=articles, before=BEFORE, cut=CUT, longest=LONGEST_TEXT, most=MOST_ARTICLES)
    rows = await pool.fetch(statement, list(found), [pattern(term) for term in wanted[:MOST_PATTERNS]])
    shown: dict[UUID, set[str]] = {}
    for row in sorted(rows, key=lambda row: (row["created_at"], row["number"], row["at"])):
        before = shown.setdefault(row["root"], set())
        text = _whole_words(row["cut"], starts=row["at"] <= BEFORE + 1)
        if any(text in other or other in text for other in before):
            continue
        hits = marks(text, wanted)
        if hits is None:
            continue
        hit = " ".join(part["text"] for part in hits.parts if part["hit"])
        if hit in before:
            continue
        before |= {text, hit}
        found[row["root"]].add("body", hits, row)


def _whole_words(cut: str, *, starts: bool) -> str:
    """A piece of a text in one line, without the parts of words at its ends."""
    text = " ".join(cut.split())
    if not starts and " " in text[:BEFORE]:
        text = "… " + text.partition(" ")[2]
    if len(cut) >= CUT and " " in text[-BEFORE:]:
        text = text.rpartition(" ")[0] + " …"
    return text


async def _add_heads(pool: Pool, found: dict[UUID, _Places], tickets: Sequence[UUID], articles: str) -> None:
    """Subjects, people and files of articles, for the terms that nothing shows yet."""
    for row in await pool.fetch(HEADS.format(articles=articles, most=MOST_HEADS), list(tickets)):
        known, people = found[row["root"]], row["people"]
        texts = [
            ("subject", row["subject"]),
            *(("from", shown_person(each)) for each in (people["from"],) if each),
            *(("to", shown_person(each)) for each in people["to"]),
            *(("cc", shown_person(each)) for each in people["cc"]),
            *(("attachment", each["name"]) for each in row["attachments"] or ()),
        ]
        if not known.unexplained or not may_have([text for _, text in texts], known.unexplained):
            continue
        for attribute, text in texts:
            wanted = applicable(known.unexplained, attribute)
            if wanted and text and (hits := marks(text, wanted)) is not None:
                known.add(attribute, hits, row)


async def _add_whole_texts(
    pool: Pool, terms: Sequence[Term], found: dict[UUID, _Places], tickets: Sequence[UUID], articles: str
) -> None:
    wanted = applicable(terms, "body")
    statement = BODIES.format(articles=articles, longest=LONGEST_TEXT, most=MOST_ARTICLES)
    for row in await pool.fetch(statement, list(tickets)) if wanted else ():
        known = found[row["root"]]
        if not known.places and (hits := marks(row["text"], wanted)) is not None:
            parts = hits.parts
            first = next(n for n, part in enumerate(parts) if part["hit"])
            before = parts[first - 1]["text"][-BEFORE:] if first else ""
            after = "".join(part["text"] for part in parts[first + 1 :])[:BEFORE]
            text = " ".join(f"{before}{parts[first]['text']}{after}".split())
            cut = marks(text, wanted)
            known.add("body", cut if cut is not None else Marked([], hits.terms), row)
