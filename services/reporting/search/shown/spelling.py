"""`did_you_mean`: what may have been meant by a word that finds nothing, spelled as in a text that its writer may see.

The words of the index belong to everybody's tickets, notes too. Therefore a word is proposed only if the same question
with it finds something for the same person, and only as it stands in what this person may read there.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import replace

from services.reporting.search.index.file import Reader
from services.reporting.search.query.finder import Hit, Search, find
from services.reporting.search.query.question import Question, Term
from services.reporting.search.text.words import fold, stems
from services.reporting.tickets.ticket_list import Filters

LEAST_LETTERS = 4
MOST_WORDS = 6
"""Words of a question for which others are tried."""
MOST_TRIED = 100
SECONDS = 0.4
ALPHABETS = ("abcdefghijklmnopqrstuvwxyz", "абвгдежзиклмнопрстуфхцчшщъыьэюя")
KNOWN = "SELECT term FROM vocabulary WHERE term IN (SELECT value FROM json_each(?))"


def proposals(reader: Reader, search: Search) -> list[tuple[Term, Term, Hit]]:
    """What finds something in place of a term: the term, the other one, and its first hit. The most frequent first."""
    end = time.monotonic() + SECONDS
    found: list[tuple[int, Term, Term, Hit]] = []
    terms = [term for clause in search.question.clauses for term in clause if _may_be_misspelled(term)]
    for term in terms[:MOST_WORDS]:
        alone = replace(search, question=Question(((term,),), is_blank=False), filters=Filters(), sort="-created_at")
        if find(reader, alone, None, 1).hits:
            continue  # it is no typing error: the person has tickets with this word
        wanted = list(neighbours(fold(term.words[0])))
        known = {row[0] for row in reader.rows(KNOWN, [json.dumps(sorted({*wanted, *stems(wanted)}))])}
        for other in sorted(known)[:MOST_TRIED]:
            if time.monotonic() > end:
                break
            meant = replace(term, words=(other,), written=other)
            clauses = tuple(
                tuple(meant if each == term else each for each in clause) for clause in search.question.clauses
            )
            asked = replace(search, question=replace(search.question, clauses=clauses), sort="-created_at")
            answer = find(reader, asked, None, 1)
            if answer.hits:
                found.append((answer.count, term, meant, answer.hits[0]))
    found.sort(key=lambda each: (-each[0], each[2].words))
    return [(term, meant, hit) for _, term, meant, hit in found]


def _may_be_misspelled(term: Term) -> bool:
    return (
        not term.without
        and not term.is_row
        and not term.beginning
        and term.number is None
        and len(term.words) == 1
        and len(fold(term.words[0])) >= LEAST_LETTERS
    )


def neighbours(word: str) -> Iterator[str]:
    """The words that differ from this one by a letter: another, a missing, an additional one, or two exchanged."""
    alphabet = next((each for each in ALPHABETS if word[0] in each), ALPHABETS[0])
    for n in range(len(word) + 1):
        before, after = word[:n], word[n:]
        if after:
            yield before + after[1:]
            yield from (before + letter + after[1:] for letter in alphabet if letter != after[0])
        if len(after) > 1 and after[0] != after[1]:
            yield before + after[1] + after[0] + after[2:]
        yield from (before + letter + after for letter in alphabet)
