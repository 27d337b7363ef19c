"""Whether a mail may still leave at the moment at which it would: rights and tickets change while mails wait (decision 0093)."""

from dataclasses import replace
from uuid import UUID

from services.notify.deciding import ticket_facts
from services.notify.notices.audience import may_read
from services.notify.sending.deliveries import Claimed
from services.notify.ticket.commands import RecordWithheld
from shared.addresses import comparable
from shared.contracts.directory import Person, Queue
from shared.contracts.parts import Address
from shared.database import Connection, Pool

TO_AGENTS = frozenset(("lock_expired", "reminder", "new_ticket", "follow_up", "moved"))
REOPENED = "the ticket is not closed any more"
QUEUE = "SELECT document::text FROM directory.documents WHERE kind = 'queue' AND id = $1"
PEOPLE = "SELECT document::text FROM directory.documents WHERE kind = 'person' AND email = ANY($1) AND NOT retired"


async def allowed(pool: Pool, claimed: Claimed) -> tuple[Claimed, RecordWithheld | None]:
    """The mail as it may leave, and what of it is withheld, and why; all of it unless `partly`.

    A notice goes to those who may read the ticket now, word of a closing to the customer of a ticket that is closed now. People's own mails
    and receipts were decided when they were written.
    """
    kind, stream = claimed.request.kind, claimed.event.stream
    if kind != "closed" and kind not in TO_AGENTS:
        return claimed, None
    async with pool.acquire() as connection:
        known = (await ticket_facts.recall(connection, [stream])).get(stream)
        if kind == "closed":
            reopened = known is not None and known.state not in (None, "closed")
            return claimed, _withheld(claimed, REOPENED) if reopened else None
        return await _readers_of(connection, claimed, known.queue.id if known is not None else claimed.queue)


async def _readers_of(
    connection: Connection, claimed: Claimed, queue_id: UUID | None
) -> tuple[Claimed, RecordWithheld | None]:
    mail, waiting = claimed.request.mail, claimed.remaining
    those = [each for each in mail.to if waiting is None or _key(each) in map(comparable, waiting)]
    document = await connection.fetchval(QUEUE, queue_id)
    queue = Queue.model_validate_json(document) if document is not None else None
    people = [Person.model_validate_json(row[0]) for row in await connection.fetch(PEOPLE, list(map(_key, those)))]
    readers = {comparable(person.email) for person in people if may_read(person, queue)}
    kept = tuple(each for each in those if _key(each) in readers)
    if len(kept) == len(those):
        return claimed, None
    others = ", ".join(each.name or each.email for each in those if _key(each) not in readers)
    narrowed = claimed.request.model_copy(update={"mail": mail.model_copy(update={"to": kept or mail.to})})
    why = f"{others} may not read the ticket any more"
    return replace(claimed, request=narrowed), _withheld(claimed, why, partly=bool(kept))


def _key(address: Address) -> str:
    """As the directory has addresses."""
    return comparable(address.email)


def _withheld(claimed: Claimed, reason: str, *, partly: bool = False) -> RecordWithheld:
    return RecordWithheld(claimed.request.notification, claimed.request.kind, reason, partly)
