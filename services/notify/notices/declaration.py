"""What a notice consists of. A notice is a mail that Ledgerdesk writes itself; each one is declared once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from services.notify.notices.audience import Audience
from services.notify.read_models.ticket_facts import TicketFacts
from shared import templates
from shared.contracts.directory import Notice
from shared.contracts.event import Event
from shared.contracts.notify import NotificationKind

E = TypeVar("E", bound=Event)


def no_variables(_: Event) -> templates.Variables:
    return {}


def always(_: Event) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class AgentNotice(Generic[E]):
    """What agents are told about an `event`, if `when` says so.

    All of its readers have it in their list of notices. Those who chose to be told about their queues get a mail; so do
    those whom it concerns: always, or only if they chose `mailed`.

    In the mail, `text` stands below the ticket's number, queue and title, perhaps among the texts of other notices. It
    is a template of complete sentences, and knows `ticket`, `queue`, `agent` (the reader) and what `variables` makes of
    the event. Times are given in ISO 8601 under `time`; readers see them in their own zone. `subject` stands before the
    ticket's title. `distinct` tells apart two notices of the same kind about the same event. When it leaves, a mail
    goes only to a reader who may still read the ticket (`sending.withholding`).
    """

    kind: NotificationKind
    event: type[E]
    to: Audience[E]
    subject: str
    text: str
    variables: Callable[[E], templates.Variables] = no_variables
    when: Callable[[E], bool] = always
    mailed: Notice | None = None
    distinct: str = ""

    @property
    def wording(self) -> str:
        """Names subject and text while the mail waits."""
        return f"{self.kind}/{self.distinct}"


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
