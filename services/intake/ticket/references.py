"""References to other objects, as events hold them."""

from shared.contracts.directory import Queue
from shared.contracts.parts import QueueRef


def queue_ref(queue: Queue) -> QueueRef:
    return QueueRef(id=queue.id, slug=queue.slug, name=queue.name)
