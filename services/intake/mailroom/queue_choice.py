"""Which queue a mail goes to: by its recipients, by the instructions of a trusted channel, by a spam filter's
verdict."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.intake.mail.reading import Reading
from services.intake.mail.verdicts.control import Instructions
from shared.addresses import comparable
from shared.contracts.directory import Queue
from shared.directory.copy import Queues

MOST_COPIES = 5


class QueuesUnknown(OSError):
    """The queues have not arrived in this service yet, so no queue can be chosen: the sender tries again later."""


@dataclass(frozen=True, slots=True)
class QueueChoice:
    """The queue of a mail's ticket; `copies` are queues in which the mail opens tickets too; `reason` says why the
    queue is not that of the recipients."""

    queue: Queue
    copies: tuple[Queue, ...] = ()
    reason: str = ""


def choose_queue(queues: Queues, recipients: Sequence[str], reading: Reading, wanted: Instructions) -> QueueChoice:
    """The first queue whose address a mail was sent to, else the default queue (A1.02, A1.29). Further queues that the
    mail was sent to get a copy if they ask for copies. Raises QueuesUnknown before the first queues have arrived."""
    addressed = addressed_queues(queues, recipients, reading)
    asked = queues.named(wanted.queue) if wanted.queue else None
    queue = asked or (addressed[0] if addressed else queues.default)
    if queue is None:
        raise QueuesUnknown("the queues have not arrived yet")
    if reading.spam is not None and reading.spam.is_spam:
        junk = queues.named(queue.junk_queue) if queue.junk_queue else None
        return QueueChoice(junk, reason=f"it went to {junk.name}") if junk is not None else QueueChoice(queue)
    if asked is not None:
        return QueueChoice(queue, reason="a trusted channel named the queue")
    return QueueChoice(queue, tuple(each for each in addressed[1:] if each.opens_copies)[:MOST_COPIES])


def addressed_queues(queues: Queues, recipients: Sequence[str], reading: Reading) -> list[Queue]:
    """The queues that a mail was sent to: first those of the envelope's recipients, then those in To and Cc."""
    found: dict[UUID, Queue] = {}
    for address in (*recipients, *(each.email for each in (*reading.to, *reading.cc))):
        plain = plain_address(address)
        queue = queues.for_address(plain) or queues.for_address(without_tag(plain))
        if queue is not None:
            found.setdefault(queue.id, queue)
    return list(found.values())


def plain_address(address: str) -> str:
    """An address of an envelope, without angle brackets, as queues have theirs."""
    return comparable(address.strip().strip("<>"))


def without_tag(address: str) -> str:
    """`it+anything@example.org` reaches `it@example.org`."""
    local, at, domain = address.rpartition("@")
    return f"{local.partition('+')[0]}{at}{domain}"
