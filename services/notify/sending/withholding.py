"""Whether a mail may still leave, asked before each attempt: rights and tickets change while mails wait (decision
0093)."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from services.notify.notices.audience import may_read
from services.notify.notices.to_agents import KINDS_TO_AGENTS
from services.notify.notices.to_customers import TO_CUSTOMERS
from services.notify.read_models import ticket_facts
from services.notify.sending.claims import Claimed
from services.notify.ticket.commands import RecordWithheld
from shared.addresses import comparable
from shared.contracts.directory import Person, Queue
from shared.contracts.parts import Address
from shared.contracts.reports import ReportMailRequested
from shared.database import Connection, Pool

RULE = "rule"
QUEUE = "SELECT document::text FROM directory.documents WHERE kind = 'queue' AND id = $1"
FORMER = """
SELECT DISTINCT p.email
  FROM directory.documents p
 WHERE p.kind = 'person' AND p.email = ANY($1) AND p.retired
   AND NOT EXISTS (SELECT
                     FROM directory.documents o
                    WHERE o.kind = 'person' AND o.email = p.email AND NOT o.retired)
"""
PEOPLE = "SELECT document::text FROM directory.documents WHERE kind = 'person' AND email = ANY($1) AND NOT retired"


async def withhold(pool: Pool, claimed: Claimed) -> tuple[Claimed, RecordWithheld | None]:
    """The mail with the recipients who may still get it, and what is to be recorded if somebody may not.

    A report goes to nobody who has left. A notice to agents goes to those who may read the ticket now. A notice to the
    customer may be outdated. Agents' own mails always leave.
    """
    kind, stream = claimed.request.kind, claimed.event.stream
    if isinstance(claimed.request, ReportMailRequested):
        return await _for_people_in_use(pool, claimed)
    to_customer = TO_CUSTOMERS.get(kind)
    outdated = to_customer.outdated if to_customer is not None else None
    if outdated is None and kind not in KINDS_TO_AGENTS and kind != RULE:
        return claimed, None
    async with pool.acquire() as connection:
        ticket = (await ticket_facts.load(connection, [stream])).get(stream)
        if outdated is not None:
            reason = outdated(ticket) if ticket is not None else None
            return claimed, _withheld(claimed, reason) if reason is not None else None
        queue = ticket.queue.id if ticket is not None else claimed.queue
        return await _for_readers(connection, claimed, queue, removed=ticket is not None and ticket.state == "removed")


async def _for_people_in_use(pool: Pool, claimed: Claimed) -> tuple[Claimed, RecordWithheld | None]:
    """A report goes to addresses; one that only a retired person has is left out."""
    recipients = _remaining(claimed)
    rows = await pool.fetch(FORMER, list(map(_key, recipients)))
    former = {row["email"] for row in rows}
    kept = tuple(each for each in recipients if _key(each) not in former)
    return _narrowed(claimed, recipients, kept, "not in use any more")


def _remaining(claimed: Claimed) -> list[Address]:
    """The recipients who do not have the mail yet."""
    remaining = None if claimed.remaining is None else set(map(comparable, claimed.remaining))
    return [each for each in claimed.request.mail.to if remaining is None or _key(each) in remaining]


def _narrowed(
    claimed: Claimed, recipients: Sequence[Address], kept: Sequence[Address], why: str
) -> tuple[Claimed, RecordWithheld | None]:
    """The mail with the kept recipients, and the record of the others."""
    if len(kept) == len(recipients):
        return claimed, None
    mail = claimed.request.mail
    others = ", ".join(each.name or each.email for each in recipients if each not in kept)
    narrowed = claimed.request.model_copy(update={"mail": mail.model_copy(update={"to": tuple(kept) or mail.to})})
    return replace(claimed, request=narrowed), _withheld(claimed, f"{others} {why}", partly=bool(kept))


async def _for_readers(
    connection: Connection, claimed: Claimed, queue_id: UUID | None, *, removed: bool
) -> tuple[Claimed, RecordWithheld | None]:
    """Those who may read the queue's tickets. Only administrators may read one that was removed."""
    recipients = _remaining(claimed)
    document = await connection.fetchval(QUEUE, queue_id)
    queue = Queue.model_validate_json(document) if document is not None else None
    people = [Person.model_validate_json(row[0]) for row in await connection.fetch(PEOPLE, list(map(_key, recipients)))]
    readers = {
        comparable(person.email)
        for person in people
        if may_read(person, queue) and (not removed or "admin" in person.roles)
    }
    if claimed.request.kind == RULE:
        # A trigger may name the address of somebody who has no record here.
        known = {comparable(person.email) for person in people}
        former = {row["email"] for row in await connection.fetch(FORMER, list(map(_key, recipients)))}
        readers |= {_key(each) for each in recipients} - known - former
    kept = tuple(each for each in recipients if _key(each) in readers)
    return _narrowed(claimed, recipients, kept, "may not read the ticket any more")


def _key(address: Address) -> str:
    """The address as the directory stores it."""
    return comparable(address.email)


def _withheld(claimed: Claimed, reason: str, *, partly: bool = False) -> RecordWithheld:
    return RecordWithheld(claimed.request.notification, claimed.request.kind, reason, partly)
