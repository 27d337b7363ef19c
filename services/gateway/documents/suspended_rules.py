"""Triggers that routing has suspended are switched off: their documents say so, and why (decision record 0113)."""

from collections.abc import Sequence
from typing import Any

from services.gateway import document_rows
from services.gateway.documents import document as rules
from services.gateway.documents.document import DocumentState, SwitchOff
from shared.contracts.directory import SmallDocumentSaved, SwitchedOff
from shared.contracts.envelope import Actor, Recorded
from shared.contracts.routing import RuleSuspended
from shared.contracts.topics import RULES
from shared.database import Connection
from shared.eventstore.runner import CommandRunner
from shared.eventstore.store import Store
from shared.messaging.consuming.handlers import Handler
from shared.messaging.consuming.policy_handler import PolicyHandler

CONSUMER = "gateway"
ACTOR = Actor("system", "rules")


def a_suspended_trigger_is_switched_off(event: Recorded) -> Sequence[rules.Command]:
    match event.payload:
        case RuleSuspended() as suspended:
            return [SwitchOff(suspended.rule.version, SwitchedOff(reason=suspended.reason, at=event.time))]
        case _:
            return []


def handlers(store: Store) -> dict[str, Handler]:
    """What the gateway's consumer does with each topic."""
    runner: CommandRunner[rules.Command, DocumentState] = CommandRunner(store, "trigger", rules)
    return {
        RULES: PolicyHandler(
            name=CONSUMER,
            runner=runner,
            producers=frozenset(("routing",)),
            react=a_suspended_trigger_is_switched_off,
            inline=_write_rows,
            actor=ACTOR,
        )
    }


async def _write_rows(connection: Connection, events: Sequence[Recorded]) -> None:
    for event in events:
        saved: Any = event.payload
        if isinstance(saved, SmallDocumentSaved):
            await document_rows.write(connection, saved.document, event.version, retired=False)
