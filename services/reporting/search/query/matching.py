"""What a question means in the index: a MATCH expression of FTS5, conditions on rows, and what ranks first.

The expression is written from the words that the parser found, each quoted. No input reaches it as it was written.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from services.reporting.search.index.entries import company_key, customer_key, field_term
from services.reporting.search.index.schema import AGENTS_ONLY, HAS_INSIDE, KEYS, PUBLIC_COLUMNS, inside
from services.reporting.search.query.filters import SqliteArguments
from services.reporting.search.query.question import FIELD, Clause, Question, Term
from services.reporting.search.text.words import asked_for, fold, phrases


@dataclass(frozen=True, slots=True)
class Names:
    """What the terms of a question name: queues, states and owners by term, customers and companies of today.

    `customers` and `addresses` are of whoever has the address that a term is; `people` have its words in their names.
    `company_names` are those of `companies`, by slug.
    """

    queues: Mapping[Term, tuple[UUID, ...]] = field(default_factory=dict)
    states: Mapping[Term, tuple[str, ...]] = field(default_factory=dict)
    owners: Mapping[Term, tuple[UUID, ...]] = field(default_factory=dict)
    customers: Mapping[Term, tuple[UUID, ...]] = field(default_factory=dict)
    addresses: Mapping[Term, tuple[str, ...]] = field(default_factory=dict)
    companies: Mapping[Term, tuple[str, ...]] = field(default_factory=dict)
    people: Mapping[Term, tuple[UUID, ...]] = field(default_factory=dict)
    company_names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """`words`: the expression for the table `words`, None if no word must be there. `title`: the same words in titles,
    None if the question has none that stand anywhere. `title_is_enough`: a title that matches it matches everything.

    `conditions` hold for the row `t`. `nothing`: no ticket can match.
    """

    words: str | None
    title: str | None
    title_is_enough: bool
    conditions: tuple[str, ...]
    nothing: bool = False


def match(question: Question, names: Names, arguments: SqliteArguments, *, as_agent: bool) -> Match:
    """The question for somebody who reads tickets as their agent or as their customer."""
    positive: list[str] = []
    negative: list[str] = []
    titles: list[str] = []
    conditions: list[str] = []
    free = True
    for clause in question.clauses:
        if all(not term.is_row and not term.without and not term.in_titles_only for term in clause):
            found = [e for term in clause if (e := expression(term, names, as_agent=as_agent)) is not None]
            if not found:
                return Match(None, None, title_is_enough=False, conditions=(), nothing=True)
            positive.append(_any(found))
            if all(term.attribute in (None, "title") for term in clause):
                titles.append(_any(_in(_title_columns(as_agent), _words(term)) for term in clause))
            else:
                free = False
        elif len(clause) == 1 and clause[0].without and not clause[0].is_row and not clause[0].in_titles_only:
            excluded = expression(clause[0], names, as_agent=as_agent)
            free = False
            if excluded is not None:
                negative.append(excluded)
        else:
            free = False
            conditions.append(_condition(clause, names, arguments, as_agent=as_agent))
    if not positive and negative:
        excluded = arguments.one(" OR ".join(negative))
        conditions.append(f"t.living IS NULL AND t.doc NOT IN (SELECT rowid FROM words WHERE words MATCH {excluded})")
    words = " AND ".join(positive) if positive else None
    if words is not None and negative:
        words = f"({words}) NOT ({' OR '.join(negative)})"
    return Match(words, " AND ".join(titles) or None, free, tuple(conditions), nothing=question.is_empty)


def expression(term: Term, names: Names, *, as_agent: bool) -> str | None:
    """The expression of one term in `words`; None if the person may not know of the attribute."""
    if term.attribute is None:
        found = _in(None if as_agent else PUBLIC_COLUMNS, _words(term))
    else:
        attribute = "field" if term.attribute.startswith(FIELD) else term.attribute
        columns = _columns(attribute, as_agent=as_agent)
        if not columns:
            return None
        found = _in(columns, _words(term))
    customers = dict.fromkeys((*names.customers.get(term, ()), *names.people.get(term, ())))
    keys = [*map(customer_key, customers), *map(company_key, names.companies.get(term, ()))]
    return _any([found, _in((KEYS,), _any(map(_quoted, keys)))]) if keys else found


def keys_expression(keys: Iterable[str]) -> str:
    """The tickets that have one of these keys."""
    return _in((KEYS,), _any(map(_quoted, keys)))


def _columns(attribute: str, *, as_agent: bool) -> tuple[str, ...]:
    if not as_agent:
        return () if attribute in AGENTS_ONLY else (attribute,)
    return (attribute, inside(attribute)) if attribute in HAS_INSIDE else (attribute,)


def _title_columns(as_agent: bool) -> tuple[str, ...]:
    return _columns("title", as_agent=as_agent)


def _words(term: Term) -> str:
    """The words of a term in every inflection, without columns."""
    *before, last = term.words
    each: list[tuple[str, ...]]
    if len(term.words) == 1 and not term.beginning:
        each = [(found,) for found in sorted({fold(last)} if term.number else asked_for(last))]
    elif len(term.words) == 1:
        each = [(found,) for found in sorted(asked_for(last))]
    else:
        each = phrases(term.words)
    made = [_quoted(*(_marked(word, term) for word in words)) for words in each]
    if term.beginning:
        start = [[*words[:-1], fold(last)] for words in each] if before else [[fold(last)]]
        made += [f"{_quoted(*(_marked(word, term) for word in words))} *" for words in start]
    return _any(dict.fromkeys(made))


def _marked(word: str, term: Term) -> str:
    if term.attribute is None or not term.attribute.startswith(FIELD):
        return word
    return field_term(term.attribute.removeprefix(FIELD), word)


def _condition(clause: Clause, names: Names, arguments: SqliteArguments, *, as_agent: bool) -> str:
    """A clause that is not about words alone, as a condition on the row."""
    found = []
    for term in clause:
        if term.attribute == "queue":
            each = f"t.queue_id IN {arguments.add(names.queues.get(term, ()), 'uuid[]')}"
        elif term.attribute == "state":
            each = f"t.state_slug IN {arguments.add(names.states.get(term, ()), 'text[]')}"
        elif term.attribute == "owner":
            # Without an owner, the comparison alone would be neither true nor false.
            each = f"(t.owner_id IS NOT NULL AND t.owner_id IN {arguments.add(names.owners.get(term, ()), 'uuid[]')})"
        elif term.in_titles_only:
            columns = (
                tuple(column for name in ("title", "customer") for column in _columns(name, as_agent=as_agent))
                if term.attribute is None
                else _short(term.attribute, as_agent=as_agent)
            )
            asked = arguments.one(_in(columns, _words(term))) if columns else None
            each = f"t.doc IN (SELECT rowid FROM titles WHERE titles MATCH {asked})" if asked else "false"
        else:
            wanted = expression(term, names, as_agent=as_agent)
            asked = arguments.one(wanted) if wanted is not None else None
            each = f"t.doc IN (SELECT rowid FROM words WHERE words MATCH {asked})" if asked else "false"
        found.append(f"NOT ({each})" if term.without else each)
    return f"({' OR '.join(found)})"


def _short(attribute: str, *, as_agent: bool) -> tuple[str, ...]:
    return _columns(attribute, as_agent=as_agent) if attribute in ("title", "customer") else ()


def _in(columns: Iterable[str] | None, words: str) -> str:
    if columns is None:
        return words
    return f"{{{' '.join(_quoted(column) for column in columns)}}} : {words}"


def _any(expressions: Iterable[str]) -> str:
    return f"({' OR '.join(expressions)})"


def _quoted(*words: str) -> str:
    text = " ".join(words).replace('"', '""')
    return f'"{text}"'
