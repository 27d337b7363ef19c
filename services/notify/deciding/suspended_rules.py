"""Tells administrators of a trigger that was switched off because it cannot do what it says (decision 0116)."""

import logging
from collections.abc import Sequence

from services.notify.notices.to_agents import RULE_SUSPENDED
from services.notify.ticket.commands import Command, GiveNotice, HeldNotice, OnTicket
from services.notify.writing import mail_body
from services.notify.writing.mail_builder import notification_id
from shared.contracts.directory import Person
from shared.contracts.envelope import Recorded
from shared.contracts.routing import RuleSuspended
from shared.database import Pool

log = logging.getLogger(__name__)

PRODUCERS = frozenset(("routing",))
MOST_ADMINISTRATORS = 100
ADMINISTRATORS = f"""
SELECT document::text
  FROM directory.documents
 WHERE kind = 'person' AND NOT retired AND document -> 'roles' ? 'admin'
 ORDER BY id
 LIMIT {MOST_ADMINISTRATORS}
"""


class SuspendedRules:
    """The notice belongs to the ticket on which the trigger failed: that is where an administrator begins to look."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.administrators: Sequence[Person] = ()

    async def prepare(self) -> None:
        """Looks up the administrators of now."""
        rows = await self.pool.fetch(ADMINISTRATORS)
        self.administrators = [Person.model_validate_json(row["document"]) for row in rows]

    def react(self, event: Recorded) -> Sequence[Command]:
        suspended = event.payload
        if not isinstance(suspended, RuleSuspended) or not self.administrators:
            return []
        if suspended.ticket is None:
            log.error("the rule %s is suspended: %s", suspended.rule.id, suspended.reason)
            return []
        people = tuple(each.id for each in self.administrators)
        details = {"rule": {"name": mail_body.line(suspended.rule.name), "reason": mail_body.line(suspended.reason)}}
        notice = GiveNotice(
            notification_id(event.id, RULE_SUSPENDED.kind),
            RULE_SUSPENDED.kind,
            people,
            event.id,
            rule=suspended.rule,
            mails=tuple(HeldNotice(each, RULE_SUSPENDED.wording, details) for each in people),
        )
        return [OnTicket(suspended.ticket, notice)]
