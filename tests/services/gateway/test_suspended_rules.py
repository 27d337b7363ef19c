"""A trigger that routing has suspended is switched off, and its document says why (A9.02)."""

import re
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from services.gateway.documents.suspended_rules import handlers
from shared.contracts.envelope import Actor, Recorded, encode
from shared.contracts.parts import RuleRef
from shared.contracts.routing import RuleSuspended
from shared.contracts.topics import RULES
from shared.eventstore.store import Store, utc_now
from shared.messaging.consuming.delivery import Delivered
from shared.messaging.consuming.projection import Position
from tests.services.gateway.conftest import Client, Gateway
from tests.specs.requirement import requirement

TRIGGER: dict[str, Any] = {
    "slug": "escalate",
    "name": "Escalate",
    "on": ["opened"],
    "when": {"all": []},
    "then": [{"do": "set-priority", "priority": 5}],
}
REASON = "Its calendar is not in use."


async def suspended(gateway: Gateway, trigger: dict[str, Any], version: int, number: int = 1) -> None:
    """Routing's event reaches the gateway's consumer, twice."""
    stream, now = UUID(trigger["id"]), utc_now()
    event = Recorded(
        uuid7(), RuleSuspended.TYPE, "/services/routing", stream, number, now, now, uuid7(), None,
        Actor("system", "rules"), None,
        RuleSuspended(rule=RuleRef(id=stream, name="Escalate", version=version), reason=REASON),
    )  # fmt: skip
    delivered = Delivered(Position(RULES, 0, number), stream, encode(event), event)
    handler = handlers(Store(gateway.pool, "gateway"))[RULES]
    for _ in range(2):
        async with gateway.pool.acquire() as connection, connection.transaction():
            assert await handler.work(connection, [delivered], set()) == []
        handler.committed()


async def history(admin: Client) -> list[tuple[int, str, bool]]:
    items = (await admin.get("/triggers/escalate/history")).body["items"]
    return [(each["version"], each["actor"]["kind"], each["data"]["document"]["active"]) for each in items]


@requirement("A9.02")
async def test_it_is_switched_off_once_until_somebody_saves_it(gateway: Gateway) -> None:
    admin = await gateway.admin()
    saved = (await admin.put("/triggers/escalate", TRIGGER)).body
    await suspended(gateway, saved, 1)
    shown = await admin.get("/triggers/escalate")
    assert shown.headers["ETag"] == '"2"' and shown.body["active"] is False
    assert shown.body["switched_off"]["reason"] == REASON
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d{3}Z", shown.body["switched_off"]["at"])
    assert await history(admin) == [(1, "agent", True), (2, "system", False)]
    late = await admin.put("/triggers/escalate", saved, headers={"If-Match": '"1"'})
    assert late.status == 412
    again = await admin.put("/triggers/escalate", {**shown.body, "active": True})
    assert again.status == 200 and again.body["active"] is True and again.body["switched_off"] is None
    await suspended(gateway, saved, 1, number=2)  # of a version that somebody has replaced
    assert (await admin.get("/triggers/escalate")).body["version"] == 3
    await suspended(gateway, saved, 3, number=3)
    off = (await admin.get("/triggers/escalate")).body
    assert off["version"] == 4 and off["active"] is False
    kept = (await admin.put("/triggers/escalate", {**off, "name": "Renamed"})).body
    assert (kept["active"], kept["switched_off"]) == (False, None)


async def test_one_that_is_retired_or_switched_off_stays_as_it_is(gateway: Gateway) -> None:
    admin = await gateway.admin()
    saved = (await admin.put("/triggers/escalate", {**TRIGGER, "active": False})).body
    await suspended(gateway, saved, 1)
    assert (await admin.get("/triggers/escalate")).body["version"] == 1
    assert (await admin.delete("/triggers/escalate")).status == 204
    await suspended(gateway, saved, 2, number=2)
    assert [version for version, *_ in await history(admin)] == [1, 2]
