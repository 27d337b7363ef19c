"""One trace shows a mail from its arrival to the receipt that left, across Kafka and four services."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from deploy.local.home import SERVICES
from shared.testing.progress import until
from tests.system.desk import Desk
from tests.system.harness import System


@pytest.fixture
def tracing(system: System) -> Iterator[System]:
    """The system with spans printed to its logs."""
    system.restart(*SERVICES, OTEL_TRACES_EXPORTER="console")
    yield system
    system.restart(*SERVICES)


def spans(system: System) -> list[dict[str, Any]]:
    """Every span that has ended so far, with the service that it ran in."""
    found = []
    for name in SERVICES:
        for line in system[name].log.read_text("utf-8", "replace").splitlines():
            if line.startswith('{"name": '):
                found.append(json.loads(line) | {"service": name})
    return found


async def test_one_trace_from_the_mail_to_the_receipt(tracing: System, desk: Desk) -> None:
    mail = desk.mail()
    await desk.mail_in(mail.as_bytes())

    async def whole() -> list[dict[str, Any]]:
        ticket = await desk.ticket_of(mail)
        mine = [each for each in spans(tracing) if each["attributes"].get("ticket") == ticket]
        return mine if {each["name"] for each in mine} >= {"notify send", "routing helpdesk.TicketOpened.v1"} else []

    mine = await until(whole)
    (trace,) = {each["context"]["trace_id"] for each in mine}
    everything = {each["context"]["span_id"]: each for each in spans(tracing) if each["context"]["trace_id"] == trace}
    (sent,) = [each for each in everything.values() if each["name"] == "notify send"]
    path = [sent]
    while path[-1]["parent_id"] is not None:
        path.append(everything[path[-1]["parent_id"]])
    # From the receipt back to the mail, every step is there.
    assert [each["name"] for each in path] == ["notify send", "notify helpdesk.TicketOpened.v1", "take mail"]
    assert {(each["service"], each["name"]) for each in everything.values()} >= {
        ("intake", "take mail"),
        ("routing", "routing helpdesk.TicketOpened.v1"),
        ("notify", "notify helpdesk.TicketOpened.v1"),
        ("notify", "notify send"),
    }
