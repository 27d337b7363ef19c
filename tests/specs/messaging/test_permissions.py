"""All permissions of each service at Kafka: new ones must be added here."""

import pytest

from shared.contracts.topics import DIRECTORY, REPORTS, TICKETS
from shared.messaging.access.permissions import ALLOW, GROUP, LITERAL, PREFIXED, READ, TOPIC, WRITE, permissions

WRITES = {
    "gateway": {DIRECTORY, REPORTS},
    "intake": {TICKETS, DIRECTORY},
    "routing": {TICKETS},
    "notify": {TICKETS, REPORTS},
    "reporting": set[str](),
}


@pytest.mark.parametrize("service", WRITES)
def test_a_service_writes_the_topics_of_its_own_events_and_reads_in_its_own_groups(service: str) -> None:
    wanted = {(TOPIC, topic, LITERAL, f"User:{service}", "*", WRITE, ALLOW) for topic in WRITES[service]}
    if service != "gateway":
        read = (TICKETS, DIRECTORY, REPORTS) if service == "notify" else (TICKETS, DIRECTORY)
        wanted |= {(TOPIC, topic, LITERAL, f"User:{service}", "*", READ, ALLOW) for topic in read}
        wanted.add((GROUP, f"ledgerdesk.{service}", PREFIXED, f"User:{service}", "*", READ, ALLOW))
    assert set(permissions(service)) == wanted
