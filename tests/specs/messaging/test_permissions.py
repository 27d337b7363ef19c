"""All permissions of each service at Kafka: new ones must be added here."""

import pytest

from shared.contracts.topics import DIRECTORY, REPORTS, RULES, TICKETS
from shared.messaging.access.permissions import ALLOW, GROUP, LITERAL, PREFIXED, READ, TOPIC, WRITE, permissions

WRITES = {
    "gateway": {DIRECTORY, REPORTS},
    "intake": {TICKETS, DIRECTORY},
    "routing": {TICKETS, RULES},
    "notify": {TICKETS, REPORTS},
    "reporting": set[str](),
}


READS = {
    "gateway": {RULES},
    "intake": {TICKETS, DIRECTORY},
    "routing": {TICKETS, DIRECTORY},
    "notify": {TICKETS, DIRECTORY, REPORTS, RULES},
    "reporting": {TICKETS, DIRECTORY},
}


@pytest.mark.parametrize("service", WRITES)
def test_a_service_writes_the_topics_of_its_own_events_and_reads_in_its_own_groups(service: str) -> None:
    wanted = {(TOPIC, topic, LITERAL, f"User:{service}", "*", WRITE, ALLOW) for topic in WRITES[service]}
    wanted |= {(TOPIC, topic, LITERAL, f"User:{service}", "*", READ, ALLOW) for topic in READS[service]}
    wanted.add((GROUP, f"ledgerdesk.{service}", PREFIXED, f"User:{service}", "*", READ, ALLOW))
    assert set(permissions(service)) == wanted
