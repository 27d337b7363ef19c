"""Looks up what the terms of a question name: queues, states, people and companies, and whose address it is.

The index has the names that customers had when they asked. Those of today, which lists show, are looked up here.
"""

from collections.abc import Iterable, Sequence
from uuid import UUID

from services.reporting.search.query.matching import Names
from services.reporting.search.query.question import Question, Term
from services.reporting.search.text.words import fold, words
from services.reporting.tickets.list_query import customers_named
from services.reporting.tickets.ticket_reader import TicketReader
from shared.rules.access import Identity
from shared.rules.states import STANDARD

MOST_NAMED = 200
"""People and companies whose names have the words of one term."""
BY_NAME = """
SELECT n.name, d.kind, d.slug, d.title, d.id, d.agent, array_remove(array_agg(k.customer_id), NULL) AS known_as
  FROM unnest($1::text[]) AS n(name)
 CROSS JOIN LATERAL (
        SELECT d.kind, d.slug, d.document ->> 'name' AS title, d.id, d.document -> 'roles' ?| ARRAY['agent', 'admin'] AS agent
          FROM directory.documents d
         WHERE d.kind IN ('person', 'company') AND to_tsvector('simple', d.document ->> 'name') @@ n.name::tsquery
         LIMIT $2) AS d
  LEFT JOIN directory.identities k ON k.person_id = d.id
 GROUP BY n.name, d.kind, d.slug, d.title, d.id, d.agent
"""


async def named(reader: TicketReader, question: Question, who: Identity) -> Names:
    """Unknown names are left out, as hidden ones are: they find nothing."""
    queues: dict[Term, tuple[UUID, ...]] = {}
    states: dict[Term, tuple[str, ...]] = {}
    owners: dict[Term, tuple[UUID, ...]] = {}
    customers: dict[Term, tuple[UUID, ...]] = {}
    addresses: dict[Term, tuple[str, ...]] = {}
    people, companies, agents, company_names = await _by_name(reader, question)
    for term in (term for clause in question.clauses for term in clause):
        match term.attribute:
            case "queue":
                found = reader.directory.queues.by_id.values()
                exactly = tuple(q.id for q in found if _is(term, (q.slug, q.name, str(q.id))))
                queues[term] = exactly or tuple(q.id for q in found if _has(term, (q.slug, q.name)))
            case "state":
                states[term] = tuple(_states(reader, term))
            case "owner":
                person = None if term.written == "me" else await reader.directory.ever_named(term.written)
                mine = (who.person_id,) if term.written == "me" else ()
                owners[term] = (person.id,) if person else mine or agents.get(term, ())
            case None | "customer" if term.address is not None:
                customers[term], addresses[term] = await customers_named(reader, [term.address])
            case _:
                pass
    return Names(queues, states, owners, customers, addresses, companies, people, company_names)


Found = dict[Term, tuple[UUID, ...]]


async def _by_name(
    reader: TicketReader, question: Question
) -> tuple[Found, dict[Term, tuple[str, ...]], Found, dict[str, str]]:
    """The people, companies and agents whose names of today have the words of a term; and these companies' names."""
    asked: dict[str, list[Term]] = {}
    for term in (term for clause in question.clauses for term in clause):
        if term.attribute in (None, "customer", "company", "owner") and term.number is None and term.words:
            asked.setdefault(_as_tsquery(term), []).append(term)
    people: Found = {}
    companies: dict[Term, tuple[str, ...]] = {}
    agents: Found = {}
    company_names: dict[str, str] = {}
    for row in await reader.pool.fetch(BY_NAME, list(asked), MOST_NAMED) if asked else ():
        for term in asked[row["name"]]:
            if row["kind"] == "company" and term.attribute in (None, "company"):
                companies[term] = (*companies.get(term, ()), row["slug"])
                company_names[row["slug"]] = row["title"]
            elif row["kind"] == "person" and term.attribute in (None, "customer"):
                people[term] = (*people.get(term, ()), row["id"], *row["known_as"])
            elif row["kind"] == "person" and term.attribute == "owner" and row["agent"]:
                agents[term] = (*agents.get(term, ()), row["id"])
    return people, companies, agents, company_names


def _as_tsquery(term: Term) -> str:
    """The words of a term in a row. They are letters and digits, so that nothing in quotes ends early."""
    *before, last = (f"'{word}'" for word in term.words)
    return " <-> ".join([*before, f"{last}:*" if term.beginning else last])


def _states(reader: TicketReader, term: Term) -> Iterable[str]:
    names = {slug: (slug, state.name, state.type) for slug, state in STANDARD.items()}
    for slug, state in reader.directory.configuration.all_states.items():
        names[slug] = (slug, state.name, state.type)
    exactly = [slug for slug, known in names.items() if _is(term, known)]
    return exactly or [slug for slug, known in names.items() if _has(term, known)]


def _is(term: Term, names: Iterable[str]) -> bool:
    wanted = fold(term.written)
    return any(fold(name).startswith(wanted) if term.beginning else fold(name) == wanted for name in names)


def _has(term: Term, names: Iterable[str]) -> bool:
    """Whether the words of a term stand in one of these names, in a row."""
    return any(_in_a_row(term, list(map(fold, words(name)))) for name in names)


def _in_a_row(term: Term, name: Sequence[str]) -> bool:
    wanted = list(map(fold, term.words))
    places = (name[n : n + len(wanted)] for n in range(len(name) - len(wanted) + 1) if wanted)
    if term.beginning:
        return any(each[:-1] == wanted[:-1] and each[-1].startswith(wanted[-1]) for each in places)
    return any(each == wanted for each in places)
