"""How an opened ticket is queued: its queue, its links, and the state that a trusted channel asked for."""

from uuid import UUID

import pytest

from services.routing.policies import an_opened_ticket_is_queued
from shared.contracts.directory import State
from shared.contracts.intake import FilledForm, TicketOpened
from shared.contracts.parts import StateRef, TicketRef, TopicRef
from shared.contracts.routing import StateChanged, TicketQueued, TicketsLinked
from shared.directory.copy import Configuration
from shared.rules.states import NEW, PENDING_REMINDER
from tests.specs.requirement import requirement
from tests.specs.routing.desk import IT, NOON, PER, given, message

OTHER = TicketRef(id=UUID(int=99), number="2026112310000099")
STATES = Configuration(
    states={
        "done": State(id=UUID(int=1), slug="done", name="Done", type="closed"),
        PENDING_REMINDER.slug: State(id=UUID(int=2), slug=PENDING_REMINDER.slug, name="x", type="pending_reminder"),
    }
)
OPENED = TicketOpened(
    number="2026112310000018", title="hums", queue=IT, customer=PER, channel="email", message=message("It hums.")
)
QUEUED = TicketQueued(
    number=OPENED.number, title="hums", queue=IT, customer=PER, state=NEW, priority=3, channel="email", at=NOON
)


@requirement("A3.01")
def test_an_opened_ticket_is_queued_once() -> None:
    command = an_opened_ticket_is_queued(OPENED, NOON, STATES)
    given().when(command).then(QUEUED)
    given(QUEUED).when(command).then()


def test_tickets_opened_by_the_same_mail_are_linked() -> None:
    opened = OPENED.model_copy(update={"also_opened": (OTHER,)})
    given().when(an_opened_ticket_is_queued(opened, NOON, STATES)).then(
        QUEUED, TicketsLinked(kind="related", other=OTHER)
    )


@requirement("A1.26")
def test_a_trusted_channel_may_ask_for_a_state() -> None:
    opened = OPENED.model_copy(update={"state": "done"})
    done = StateRef(slug="done", name="Done", type="closed")
    given().when(an_opened_ticket_is_queued(opened, NOON, STATES)).then(QUEUED, StateChanged(to=done, was=NEW, at=NOON))


@pytest.mark.parametrize("slug", [PENDING_REMINDER.slug, "unknown"])
def test_an_unknown_state_or_one_that_needs_a_date_is_left_out(slug: str) -> None:
    opened = OPENED.model_copy(update={"state": slug})
    given().when(an_opened_ticket_is_queued(opened, NOON, STATES)).then(QUEUED)


@requirement("A1.06", "A7.25")
def test_the_desk_keeps_the_topic() -> None:
    topic = TopicRef(id=UUID(int=30), slug="recount", name="Recalculation")
    opened = OPENED.model_copy(update={"form": FilledForm(topic=topic)})
    given().when(an_opened_ticket_is_queued(opened, NOON, STATES)).then(QUEUED.model_copy(update={"topic": topic}))
