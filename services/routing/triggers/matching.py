"""Which triggers are to act on what follows from a decision (A9.02). Pure: the configuration comes as data.

Every event is judged on the ticket as it was right after it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.routing.rows import Match
from services.routing.ticket import Command, Ticket
from services.routing.ticket.customer_messages import TakeCustomerMessage
from services.routing.ticket.queueing import QueueTicket
from services.routing.triggers.steps import Step
from shared.automation.facts import Facts, written
from shared.automation.happenings import happening
from shared.automation.rule_actor import rule_of
from shared.automation.rules import LONGEST_CHAIN, Rule, Rules
from shared.clocks.deadlines import escalated
from shared.contracts.envelope import Actor
from shared.contracts.event import Event
from shared.contracts.routing import AgentReplied, CustomerAnswered, NoteAdded, TicketQueued
from shared.eventstore.store import NewEvent
from shared.eventstore.unit_of_work import Decision, Following


@dataclass(frozen=True, slots=True)
class Matched:
    """What the rules of a decision are to do. `ended`: the rules that would have gone on a chain that has ended here,
    with the events that they would have answered."""

    rows: Sequence[Match] = ()
    ended: Sequence[tuple[Rule, UUID]] = ()


def matches(rules: Rules, decision: Decision[Command, Ticket], steps: Iterable[Step], depth: int = 0) -> Matched:
    """The matches of the events of a decision. `depth`: how many rules led to it, one after the other."""
    rows: list[Match] = []
    ended: list[tuple[Rule, UUID]] = []
    for step in steps:
        happened = happening(step.event.payload)
        if happened is None or not rules.on(happened) or step.after.merged_into is not None:
            continue  # a merged ticket goes on in another one, where a customer's message arrives too
        answers = rule_of(step.actor)
        cause = _cause(decision, step)
        for rule in rules.matching(happened, facts_of(decision, step)):
            if answers is not None and rule.ref.id == answers[0]:
                continue  # no rule answers its own doing
            if depth >= LONGEST_CHAIN:
                ended.append((rule, cause))
            else:
                rows.append(match(rule, decision.stream, cause, decision.context.correlation_id, depth + 1))
    return Matched(rows, ended)


def looked_at(rules: Rules, events: Sequence[NewEvent], following: Sequence[Following]) -> bool:
    """Whether a trigger looks at any of these events. If none does, the ticket is not folded event by event."""
    if not rules.by_happening:
        return False
    payloads = [*(each.payload for each in events), *(each.payload for each in following)]
    return any(rules.on(happened) for payload in payloads if (happened := happening(payload)) is not None)


def match(rule: Rule, ticket: UUID, cause: UUID, correlation: UUID, depth: int = 1) -> Match:
    actions: list[dict[str, Any]] = [dict(action) for action in rule.actions]
    return Match(ticket, rule.ref.id, rule.ref.version, rule.ref.name, cause, correlation, depth, actions)


def facts_of(decision: Decision[Command, Ticket], step: Step) -> Facts:
    """What conditions look at. Of an opening and of a customer's message, the text and the writer are the command's."""
    match decision.command, step.event.payload:
        case QueueTicket() as command, TicketQueued():
            actor = "agent" if command.opened_by is not None else "customer"
            return ticket_facts(step.after, actor, decision.context.time, command.text, command.sender)
        case TakeCustomerMessage() as command, CustomerAnswered():
            sender = command.message.sender.email if command.message.sender else ""
            if not sender and (writer := command.writer or step.after.customer) is not None:
                sender = writer.email
            return ticket_facts(step.after, "customer", command.at, written(command.message), sender)
        case _, (AgentReplied() | NoteAdded()) as event:
            return ticket_facts(step.after, _kind(step.actor), decision.context.time, written(event.message))
        case _:
            return ticket_facts(step.after, _kind(step.actor), decision.context.time)


def ticket_facts(ticket: Ticket, actor: str, at: datetime, text: str = "", sender: str = "") -> Facts:
    return Facts(
        queue=ticket.queue.slug if ticket.queue is not None else "",
        state=ticket.state.slug,
        state_type=ticket.state.type,
        priority=ticket.priority,
        channel=ticket.channel,
        title=ticket.title,
        actor=actor,
        at=at,
        owner=ticket.owner.id if ticket.owner is not None else None,
        customer=ticket.customer,
        company=ticket.customer.company if ticket.customer is not None else None,
        topic=ticket.topic or None,
        tags=ticket.tags,
        fields=ticket.fields,
        escalated=escalated(ticket.timeline.deadlines.values()),
        text=text,
        sender=sender,
    )


def _kind(actor: Actor) -> str:
    """Policies and timers are the system."""
    return actor.kind if actor.kind in ("agent", "customer", "rule") else "system"


def _cause(decision: Decision[Command, Ticket], step: Step) -> UUID:
    """The event that people see as the cause: of an opening and of a customer's message, the one that intake recorded."""
    event: Event = step.event.payload
    if isinstance(event, TicketQueued | CustomerAnswered) and decision.context.causation_id is not None:
        return decision.context.causation_id
    return step.event.id
