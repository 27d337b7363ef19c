"""Looks up what the terms of a question name: queues, states, owners, and whose address it is."""

from collections.abc import Iterable
from uuid import UUID

from services.reporting.search.query.matching import Names
from services.reporting.search.query.question import Question, Term
from services.reporting.search.text.words import fold
from services.reporting.tickets.list_query import customers_named
from services.reporting.tickets.ticket_reader import TicketReader
from shared.rules.access import Identity
from shared.rules.states import STANDARD


async def named(reader: TicketReader, question: Question, who: Identity) -> Names:
    """Unknown names are left out, as hidden ones are: they find nothing."""
    queues: dict[Term, tuple[UUID, ...]] = {}
    states: dict[Term, tuple[str, ...]] = {}
    owners: dict[Term, tuple[UUID, ...]] = {}
    customers: dict[Term, tuple[UUID, ...]] = {}
    addresses: dict[Term, tuple[str, ...]] = {}
    for term in (term for clause in question.clauses for term in clause):
        match term.attribute:
            case "queue":
                found = reader.directory.queues.by_id.values()
                queues[term] = tuple(q.id for q in found if _is(term, (q.slug, q.name, str(q.id))))
            case "state":
                states[term] = tuple(_states(reader, term))
            case "owner":
                person = None if term.written == "me" else await reader.directory.ever_named(term.written)
                owners[term] = (who.person_id,) if term.written == "me" else (person.id,) if person else ()
            case None | "customer" if term.address is not None:
                customers[term], addresses[term] = await customers_named(reader, [term.address])
            case _:
                pass
    return Names(queues, states, owners, customers, addresses)


def _states(reader: TicketReader, term: Term) -> Iterable[str]:
    names = {slug: (slug, state.name, state.type) for slug, state in STANDARD.items()}
    for slug, state in reader.directory.configuration.all_states.items():
        names[slug] = (slug, state.name, state.type)
    for slug, known in names.items():
        if _is(term, known):
            yield slug


def _is(term: Term, names: Iterable[str]) -> bool:
    wanted = fold(term.written)
    return any(fold(name).startswith(wanted) if term.beginning else fold(name) == wanted for name in names)
