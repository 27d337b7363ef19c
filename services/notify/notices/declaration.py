"""What a notice consists of. A notice is a mail that Ledgerdesk writes itself; each one is declared once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Generic, Literal, TypeVar

from services.notify.notices.audience import Audience
from services.notify.read_models.ticket_facts import TicketFacts
from shared import templates
from shared.contracts.directory import Person
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.contracts.notify import NotificationKind

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Occasion:
    """What the variables of a notice are made of, besides the event's payload. `zone` is the desk's time zone."""

    event: Recorded
    ticket: TicketFacts
    readers: Sequence[Person]
    zone: tzinfo


def no_variables(_: Event, __: Occasion) -> templates.Variables:
    return {}


def always(_: Event) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class AgentNotice(Generic[E]):
    """A mail to agents about an `event`, if `when` says so.

    The subject is `subject` and the ticket's title. `text` is a template; it knows `ticket`, `queue`, `agent.name` (if
    the notice has a single reader) and `variables`. `distinct` tells apart two notices of the same kind about the same
    event. When it leaves, a notice goes only to those readers who may still read the ticket (`sending.withholding`).
    """

    kind: NotificationKind
    event: type[E]
    to: Audience[E]
    subject: str
    text: str
    variables: Callable[[E, Occasion], templates.Variables] = no_variables
    when: Callable[[E], bool] = always
    distinct: str = ""


@dataclass(frozen=True, slots=True)
class CustomerNotice:
    """A mail to the customer of a ticket. Which event leads to it is decided in `deciding.customer_notices`.

    `subject` stands in place of the ticket's title while nobody has proven whose words that title is. `text` is a
    template; it knows `ticket`, `queue` and `customer`. `outdated` says why the mail must no longer leave, given the
    ticket as it is at that moment; None: it leaves whatever has happened since.
    """

    kind: Literal["receipt", "follow_up_rejected", "closed"]
    subject: str
    text: str
    auto_submitted: Literal["auto-replied", "auto-generated"]
    outdated: Callable[[TicketFacts], str | None] | None = None
