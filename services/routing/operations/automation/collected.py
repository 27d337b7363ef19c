"""Operations that collect the commands of a request instead of giving them, for rules and macros, which do several things."""

from dataclasses import dataclass, field

from services.routing.operations.request import CommandRequest, Make, TicketCommand
from services.routing.operations.tickets import TicketOperations
from shared.contracts.directory import Queue
from shared.eventstore.runner import Outcome, Respond


@dataclass(frozen=True, slots=True)
class CollectedOperations(TicketOperations):
    """`commands`: what would have been given, in order."""

    commands: list[TicketCommand] = field(default_factory=list)

    @classmethod
    def like(cls, operations: TicketOperations) -> "CollectedOperations":
        return cls(
            operations.pool, operations.runner, operations.directory, operations.uploads, operations.processes,
            operations.assignees,
        )  # fmt: skip

    async def give(
        self,
        request: CommandRequest,
        action: str,
        make: Make,
        *others: TicketCommand,
        respond: Respond | None = None,
        queue: Queue | None = None,
        leads_to: str = "queue",
    ) -> Outcome:
        self.commands.extend((TicketCommand(request.ticket, action, make, queue=queue), *others))
        return Outcome(0, {})
