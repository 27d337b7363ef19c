"""What people write into the search field, and what a word is. Whatever they write, it is understood, and bounded."""

import re
import unicodedata
from typing import Any
from uuid import UUID

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.reporting.search.index.entries import field_term
from services.reporting.search.index.schema import DDL, ROW_COLUMNS
from services.reporting.search.query.filters import SqliteArguments, of_sqlite
from services.reporting.search.query.matching import Names, match
from services.reporting.search.query.question import (
    MOST_IN_PHRASE,
    MOST_TERMS,
    Question,
    Term,
    for_large_index,
    question,
)
from services.reporting.search.shown.marks import marked, pattern
from services.reporting.search.shown.spelling import neighbours
from services.reporting.search.text.language import Guess, Language, language_of
from services.reporting.search.text.words import BOUNDARY, LONGEST, asked_for, fold, indexed, variants, words
from services.reporting.tickets.read_model.ticket_row import ColumnFilters
from services.reporting.tickets.ticket_list import Filters, conditions_of
from tests.specs.requirement import requirement

PIECES = st.sampled_from(
    ['"', "-", "*", " ", " OR ", "OR", ":", "subject:", "field.x:", "state:", "queue:", "owner:", "tag:", "(", ")", "NEAR", "AND", "NOT",
     "^", "{body}", "\\", "'", ";", "\x00", "\u200b", "\u202e", "\ue000", "kari@x.no", "2026112910000011", "[Ticket#", "é", "ß", "漢字", "a", "ab", "printer"]
)  # fmt: skip
QUESTIONS = st.one_of(st.text(max_size=300), st.lists(PIECES, max_size=60).map("".join))


def terms(asked: Question) -> list[Term]:
    return [term for clause in asked.clauses for term in clause]


def written(text: str) -> list[list[str]]:
    """The clauses, in the way in which people would write them."""
    return [
        [
            f"{'-' * term.without}{term.attribute or ''}{':' * bool(term.attribute)}{' '.join(term.words)}{'*' * term.beginning}"
            for term in clause
        ]
        for clause in question(text).clauses
    ]


@requirement("A11.02", "A11.03", "A11.04")
def test_the_operators() -> None:
    for text, want in (
        ("printer fire", [["printer"], ["fire"]]),
        ('"several words" fire', [["several words"], ["fire"]]),
        ("-word word*", [["-word"], ["word*"]]),
        ("a OR b c", [["a", "b"], ["c"]]),
        ("a OR -b OR c*", [["a", "-b", "c"]]),
        ('subject:x body:"x y" -from:z', [["subject:x"], ["body:x y"], ["-from:z"]]),
        ("field.Room:k1 TAG:vip", [["field.room:k1"], ["tag:vip"]]),
        ("colour:red", [["colour red"]]),
        ("OR a OR", [["a"]]),
        ('a "b', [["a"], ["b"]]),
        ("ab* title:ab* body:ab* a*", [["ab*"], ["title:ab*"], ["body:ab*"], ["a"]]),
        ("a a", [["a"]]),
        ("pri\u00adnter e\u0301t\u200be\u0301", [["printer"], ["été"]]),
        ("a\x00b", [["a"], ["b"]]),
    ):
        assert written(text) == want, text
    assert question("").is_blank and question(" \t").is_blank and not question("-").is_blank
    for text in ("-", "*", "()", "\u200b", "\U0001f98a"):
        assert question(text).is_empty
    number = "2026112910000011"
    for text in (number, f"Ticket#{number}", f"[Ticket#{number}]", "2026 1129 1000 0011"):
        (term,) = terms(question(text))
        assert (term.number, term.words) == (number, (number,)), text
    assert terms(question("see Kari@X.no"))[1].address == "kari@x.no"


@given(QUESTIONS)
def test_every_text_is_understood_and_bounded(text: str) -> None:
    asked = question(text)
    found = terms(asked)
    assert len(found) <= MOST_TERMS
    for term in found:
        assert len(term.words) <= MOST_IN_PHRASE
        assert all(0 < len(word) <= LONGEST for word in term.words)
        assert pattern(term) and len(pattern(term)) < 100_000
    assert question(text) == asked


_file = apsw.Connection(":memory:")
for _statement in DDL:
    _file.execute(_statement)


def test_a_large_index_is_not_searched_for_short_beginnings() -> None:
    asked = for_large_index(question('ab* title:ab* body:ab* QX-91* "x ab"* abc* queue:ab*'))
    assert [(t.words, t.beginning, t.in_titles_only) for t in terms(asked)] == [
        (("ab",), True, True), (("ab",), True, True), (("ab",), False, False), (("qx", "91"), False, False),
        (("x", "ab"), False, False), (("abc",), True, False), (("ab",), True, False),
    ]  # fmt: skip


@given(QUESTIONS, st.booleans(), st.booleans())
def test_every_text_is_a_statement_that_sqlite_understands(text: str, as_agent: bool, large: bool) -> None:
    arguments = SqliteArguments()
    parsed = for_large_index(question(text)) if large else question(text)
    found = match(parsed, Names(), arguments, as_agent=as_agent)
    where = " AND ".join(("true", *found.conditions))
    docs = "docs" if as_agent else "customer_docs"
    if found.words is not None:
        asked = arguments.one(found.words)
        where = f"t.doc IN (SELECT rowid FROM words WHERE words MATCH {asked}) AND {where}"
    if found.title is not None:
        asked = arguments.one(found.title)
        where = f"t.doc NOT IN (SELECT rowid FROM titles WHERE titles MATCH {asked}) AND {where}"
    used = [value for n, value in enumerate(arguments.values, 1) if f"?{n}" in where]
    assert used == arguments.values or found.nothing
    if not found.nothing:
        assert _file.execute(f"SELECT t.doc FROM {docs} AS t WHERE {where}", tuple(arguments.values)).fetchall() == []
    if not as_agent:
        columns = re.findall(r"\{([^}]*)\} :", str(arguments.values))
        assert not any("inside_" in each or '"tag"' in each for each in columns)


def test_every_filter_of_the_list_is_understood_by_sqlite() -> None:
    """A new filter of the list (`ColumnFilters`) must find its column and its comparison here."""
    samples: dict[str, list[Any]] = {
        "bool": [True, False],
        "list[str]": [["a", "b"]],
        "list[int]": [[1, 3]],
        "UUID": [[str(UUID(int=1))]],
        "datetime": ["2026-01-01T00:00:00Z"],
    }
    tried = 0
    for name, parameter in ColumnFilters.model_fields.items():
        kind = str(parameter.annotation)
        values: Any = next((v for k, v in samples.items() if k in kind), None)
        if values is None:
            values = [["a"]] if "list" in kind and "str" in kind else [[1]] if "list" in kind else samples["datetime"]
        for value in values:
            arguments = SqliteArguments()
            filters = Filters(columns=ColumnFilters.model_validate({name: value}))
            where = " AND ".join(map(of_sqlite, conditions_of(arguments, filters)))
            for docs in ("docs", "customer_docs"):
                _file.execute(f"SELECT 1 FROM {docs} AS t WHERE {where}", tuple(arguments.values)).fetchall()
            tried += 1
    assert tried >= len(ColumnFilters.model_fields) > 5
    assert {"queue_id", "tags", "priority"} <= set(ROW_COLUMNS)


@given(st.text(max_size=200))
def test_a_word_of_a_text_is_found_by_itself_whatever_its_case_and_accents(text: str) -> None:
    found = words(text)
    kept = set(indexed(found, language_of(found)))
    for word in found:
        assert len(word) <= LONGEST
        assert not variants(word).isdisjoint(kept)
        assert not variants(word.upper().lower()).isdisjoint(variants(word)) or word.upper().lower() != word
        bare = "".join(each for each in unicodedata.normalize("NFD", word) if not unicodedata.combining(each))
        if bare and bare.isalnum():
            assert not variants(bare).isdisjoint(kept) or fold(bare) != fold(word)
    for each in kept - {BOUNDARY}:
        assert "\ue000" not in each and " " not in each.strip()


@given(QUESTIONS, st.text(max_size=200))
def test_marks_change_nothing_but_the_form(asked: str, text: str) -> None:
    parts = marked(text, terms(question(asked)))
    if parts is not None:
        whole = "".join(part["text"] for part in parts)
        assert any(part["hit"] for part in parts)
        assert words(whole) == words(text)


@pytest.mark.parametrize(("text", "language"), [
    ("The printers were burning in the office and we do not know what to do with them", "en"),
    ("Bilene står i garasjen og jeg kan ikke finne nøkkelen til dem nå", "nb"),
    ("Cyklarna har blivit stulna och jag vet inte vad vi ska göra med det", "sv"),
    ("De fietsen zijn gestolen en ik weet niet wat we met het slot moeten doen", "nl"),
    ("Принтеры сломались, и счёт не пришёл", "ru"),
    ("Die Häuser in der Straße haben keinen Strom und wir wissen nicht warum", "de"),
    ("Les imprimantes ont causé des dégâts dans le bureau et nous ne savons pas pourquoi", "fr"),
    ("Las impresoras están rotas desde mañana y no sabemos por qué se han roto", "es"),
])  # fmt: skip
def test_the_language_of_a_text(text: str, language: str) -> None:
    assert language_of(words(text))[0] == language


def test_words_of_doubtful_texts_are_found_in_every_language() -> None:
    kept = indexed(["bilene"], language_of(["bilene"]))
    assert set(variants("bil")) & set(kept)
    assert field_term("Room", "x") == "room\ue000x"


FORMS: dict[Language, str] = {
    "nb": "skriver skriveren skriverne, nøkkel nøkkelen nøkler nøklene, faktura fakturaen fakturaene, server serverne",
    "sv": "dator datorn datorer datorerna, klocka klockan klockor, nyckel nyckeln nycklar, fönster fönstret fönstren,"
    " lösenord lösenordet, kontor kontoret, konto kontot konton, faktura fakturan fakturor, server servrar",
    "nl": "toetsenbord toetsenborden, probleem problemen, fiets fietsen, wachtwoord wachtwoorden",
    "ru": "экран экрана экранов, принтер принтеры принтеров, проблем проблема",
    "en": "printer printers, burn burning burned, battery batteries",
    "de": "auto autos, büro büros, problem probleme problemen, haus häuser häusern, laptop laptops",
    "fr": "perdu perdue perdus, clé clés, journal journaux",
    "es": "luz luces, impresora impresoras",
}


@requirement("A11.03")
@pytest.mark.parametrize("language", FORMS)
@pytest.mark.parametrize("sure", [True, False])
def test_each_form_of_a_word_finds_the_others(language: Language, sure: bool) -> None:
    for group in FORMS[language].split(", "):
        for wrote in group.split():
            kept = set(indexed([wrote], Guess(language, sure=sure)))
            missed = [asked for asked in group.split() if asked_for(asked).isdisjoint(kept)]
            assert missed == [], wrote


@given(st.text(alphabet=st.characters(categories=["L"]), min_size=1, max_size=20).map(str.lower))
def test_what_is_asked_for_contains_what_a_text_may_hold(word: str) -> None:
    assert variants(word) <= asked_for(word)
    assert len(asked_for(word)) <= 120


def test_forms_do_not_join_words_that_only_look_alike() -> None:
    for asked, wrote in (
        ("rock", "rocket"),
        ("pock", "pocket"),
        ("plan", "planet"),
        ("kettle", "ket"),
        ("crimson", "crim"),
    ):
        assert asked_for(asked).isdisjoint(indexed([wrote], Guess("en", sure=True))), (asked, wrote)


@given(st.text("abcdefghijklmnopqrstuvwxyz", min_size=4, max_size=12))
def test_a_neighbour_differs_by_one_letter(word: str) -> None:
    near = set(neighbours(word))
    assert word[1:] in near and word + "q" in near and word[:2] + "q" + word[3:] in near | {word}
    assert all(abs(len(each) - len(word)) <= 1 for each in near)
