"""Which fields a ticket needs before it is closed: those of its queue and of its topic (A7.25)."""

from uuid import UUID

from shared.contracts.directory import AskedField, Queue, TicketField, Topic
from shared.directory.copy import Configuration
from shared.fields import required
from tests.specs.requirement import requirement

IT = Queue(id=UUID(int=1), slug="it", name="IT")
ROOM = TicketField(id=UUID(int=2), slug="room", name="Room", required_in=("it",))
PERIOD = TicketField(id=UUID(int=3), slug="period", name="Period")
RECOUNT = Topic(
    id=UUID(int=4),
    slug="recount",
    name="Recalculation",
    queue="it",
    fields=(AskedField(field="period", required=True), AskedField(field="cause")),
)
SETTINGS = Configuration(fields={"room": ROOM, "period": PERIOD}, topics={"recount": RECOUNT})


@requirement("A7.25")
def test_the_queues_and_the_topics_are_both_needed() -> None:
    assert required(IT, "recount", SETTINGS) == ("period", "room")
    assert required(IT, "", SETTINGS) == ("room",)
    assert required(None, "recount", SETTINGS) == ("period",)


def test_a_topic_out_of_use_requires_no_fields() -> None:
    assert required(IT, "forgotten", SETTINGS) == ("room",)
    assert required(None, "", SETTINGS) == ()
