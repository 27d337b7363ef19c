"""Everything that reads events without a database: the folds, policies and projections of every service."""

from zoneinfo import ZoneInfo

from services.gateway.documents import document as gateway_document
from services.intake import ticket as intake_ticket
from services.notify import ticket as notify_ticket
from services.notify.policies import Policies
from services.notify.writing.mail_builder import MailBuilder
from services.reporting.stats.projection import StatsProjection
from services.reporting.tickets.events.fold import fold, summary
from services.routing import policies as routing_policies
from services.routing import ticket as routing_ticket
from shared.contracts.envelope import Recorded
from shared.directory.copy import Queues
from shared.directory.projection import DirectoryProjection
from shared.messaging.consuming.projection import Position


def read_by_all(event: Recorded) -> None:
    """Gives the event to every reader. Raises the first error."""
    for decider in (routing_ticket, notify_ticket, intake_ticket, gateway_document):
        decider.evolve(decider.initial(), event.payload)
    routing_policies.Policies(Queues).react(event)
    Policies(MailBuilder(Queues, b"a key of the tests, long enough", "help.example.org")).react(event)
    assert fold(None, event).event_count == 1
    position = Position(event.payload.TOPIC, 0, 0)
    StatsProjection("stats", ZoneInfo("UTC")).apply(None, event, position)
    DirectoryProjection().apply(None, event, position)
    assert event.data is not None
    assert summary(event.type, event.data)
