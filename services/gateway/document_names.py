"""The words by whose beginnings people, companies, queues and topics are found as one types: rows of `gateway.names`."""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from shared.contracts.directory import Company, Person, Queue, Topic
from shared.contracts.marks.declaration import Document
from shared.database import Connection, Pool

MOST_WORDS = 40
"""Words that one document is found by, and words of a question that count."""
LONGEST_WORD = 100
CANDIDATES = 2_000
"""How many beginnings of the longest word are looked through for the other words of a question."""
CLEAR = "DELETE FROM gateway.names WHERE id = ANY($1)"
ADD = """
INSERT INTO gateway.names (kind, word, id)
SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[])
    ON CONFLICT DO NOTHING
"""
# The longest word finds candidates in the order of their words; each of the other words must begin a word of theirs too.
FIND = """
SELECT k.kind, f.id
  FROM unnest($1::text[], $2::integer[]) AS k(kind, most)
 CROSS JOIN LATERAL (
       SELECT c.id
         FROM (SELECT word, id
                 FROM gateway.names
                WHERE kind = k.kind AND word >= $3 AND word < $4
                ORDER BY word, id
                LIMIT $7) AS c
        WHERE NOT EXISTS (SELECT
                            FROM unnest($5::text[], $6::text[]) AS o(first, after)
                           WHERE NOT EXISTS (SELECT FROM gateway.names n
                                              WHERE n.id = c.id AND n.word >= o.first COLLATE "C"
                                                AND n.word < o.after COLLATE "C"))
        ORDER BY c.word, c.id
        LIMIT k.most) AS f
"""
_PARTS = re.compile(r"[^\W_]+")


def folded(text: str) -> str:
    """The text without case, accents and compatibility forms."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(c for c in unicodedata.normalize("NFKD", decomposed) if not unicodedata.combining(c))


def words(texts: Iterable[str]) -> list[str]:
    """The words that a document with these names is found by: what stands between spaces, and the parts of it."""
    found: dict[str, None] = {}
    for text in texts:
        for word in folded(text).split():
            found |= dict.fromkeys((word[:LONGEST_WORD], *(part[:LONGEST_WORD] for part in _PARTS.findall(word))))
    return list(found)[:MOST_WORDS]


def kinds_and_names(document: Document) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """As which kinds a document is suggested, and the names that it has."""
    match document:
        case Person():
            customer = ("customer",) if "customer" in document.roles else ()
            staff = ("person",) if {"agent", "admin"} & set(document.roles) else ()
            # A colleague is known by name and login, a customer by the address too.
            return customer + staff, (document.login, document.name, *((document.email,) if customer else ()))
        case Company():
            return ("company",), (document.slug, document.name, *document.domains)
        case Queue():
            return ("queue",), (document.slug, document.name)
        case Topic():
            return ("topic",), (document.slug, document.name)
        case _:
            return (), ()


async def write(connection: Connection | Pool, documents: Sequence[tuple[Document, bool]]) -> None:
    """Writes the words of documents; a retired one (True) has none."""
    rows = [
        (kind, word, document.id)
        for document, retired in documents
        if not retired
        for kinds, names in (kinds_and_names(document),)
        for word in words(names)
        for kind in kinds
    ]
    await connection.execute(CLEAR, [document.id for document, _ in documents])
    if rows:
        await connection.execute(ADD, *map(list, zip(*rows, strict=True)))


async def beginning(pool: Pool, kinds: Mapping[str, int], question: str) -> list[tuple[str, UUID]]:
    """Kind and id of the documents in use of whose words one begins with each word of the question.

    In the order of that word, at most so many of each kind as `kinds` says.
    """
    asked = sorted({word[:LONGEST_WORD] for word in folded(question).split()}, key=len)[-MOST_WORDS:]
    if not asked or not kinds:
        return []
    *others, longest = asked
    # A document has several words that begin alike, so more rows than documents are read.
    most = [4 * limit for limit in kinds.values()]
    after = [_after(word) for word in others]
    rows = await pool.fetch(FIND, list(kinds), most, longest, _after(longest), others, after, CANDIDATES)
    return list(dict.fromkeys((row["kind"], row["id"]) for row in rows))


def _after(word: str) -> str:
    """What stands behind every text that begins with the word, in the order of code points."""
    return word + "\U0010ffff"
