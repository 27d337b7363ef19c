"""Who sends a request, and what they may do: one pure function for every service (requirements A19.01 to A19.05)."""

from collections.abc import Iterable
from enum import Enum
from typing import Literal
from uuid import UUID

from shared.contracts.directory import Member, Person, Right
from shared.contracts.event import Value
from shared.contracts.parts import StateType
from shared.contracts.routing import TICKET_COMMANDS


class Identity(Value):
    """The person behind a request, as the gateway vouches for them. `expires` is in epoch seconds.

    `kind` is `admin`, `agent`, `customer` or `service` (one of our own processes). `scopes` is null for a session,
    which may do all that the person may. An API token is limited to its scopes.
    """

    person_id: UUID
    kind: Literal["admin", "agent", "customer", "service"]
    login: str
    name: str
    email: str
    roles: tuple[str, ...] = ()
    company: str | None = None
    scopes: tuple[str, ...] | None = None
    timezone: str | None = None
    """The time zone in which the person reads times; null: that of the desk."""
    known_as: tuple[UUID, ...] = ()
    """Customers that were known by an address only, and turned out to be this person (decision 0089)."""
    expires: int = 0

    def is_customer(self, customer: UUID | None) -> bool:
        """Whether that customer is the person behind the request."""
        return customer is not None and (customer == self.person_id or customer in self.known_as)

    @property
    def is_admin(self) -> bool:
        return "admin" in self.roles

    @property
    def is_agent(self) -> bool:
        return "agent" in self.roles or self.is_admin


class Access(Enum):
    """`HIDDEN` answers 404, as if the object did not exist; `FORBIDDEN` answers 403."""

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"
    HIDDEN = "hidden"


ALL_RIGHTS: frozenset[Right] = frozenset(("read", "create", "move_into", "note", "work"))

NEEDS: dict[str, Right] = {
    **{right: right for right in ALL_RIGHTS},
    **TICKET_COMMANDS,
}
"""The right that each action of an agent needs on the ticket's queue. A right is an action too."""

CUSTOMER_ACTIONS = frozenset(("read", "message"))
DESPITE_LOCK = frozenset(("lock", "unlock", "undo", "set-responsible"))
"""What an agent may do though somebody else has the ticket locked (decision 0057)."""
LOCK_REFUSES = frozenset(name for name, right in TICKET_COMMANDS.items() if right == "work") - DESPITE_LOCK


class TicketFacts(Value):
    """What the permission rule looks at: the members of the ticket's queue, and whose ticket it is.

    The customer is known by id, never by an address, which may belong to somebody else tomorrow.
    """

    members: tuple[Member, ...] = ()
    customer: UUID | None = None
    company: str | None = None


def rights(identity: Identity, members: Iterable[Member]) -> frozenset[Right]:
    """What an agent may do on a queue with these members; an administrator may do all."""
    if identity.is_admin:
        return ALL_RIGHTS
    if not identity.is_agent:
        return frozenset()
    return ALL_RIGHTS.intersection(
        {right for member in members if member.person == identity.person_id for right in member.rights}
    )


def rights_of(person: Person, members: Iterable[Member]) -> frozenset[Right]:
    """What a person may do on a queue with these members who did not send the request, such as a new owner."""
    identity = Identity(
        person_id=person.id,
        kind="agent",
        login=person.login,
        name=person.name,
        email=person.email,
        roles=tuple(person.roles),
    )
    return rights(identity, members)


def may(identity: Identity, action: str, ticket: TicketFacts) -> Access:
    """Whether this person may do this to that ticket. Unknown actions are forbidden: deny by default."""
    return _access(action, *_standing(identity, ticket))


def _standing(identity: Identity, ticket: TicketFacts) -> tuple[frozenset[Right], bool]:
    """The rights that somebody has on the ticket's queue, and whether the ticket is their own or their company's."""
    own = identity.is_customer(ticket.customer)
    companys = identity.company is not None and identity.company == ticket.company
    return rights(identity, ticket.members), own or companys


def _access(action: str, held: frozenset[Right], as_customer: bool) -> Access:
    if "read" not in held and not as_customer:
        return Access.HIDDEN
    needed = NEEDS.get(action)
    if needed is not None and needed in held:
        return Access.ALLOWED
    if as_customer and action in CUSTOMER_ACTIONS:
        return Access.ALLOWED
    return Access.FORBIDDEN


def allowed(identity: Identity, ticket: TicketFacts, state_type: StateType, locked_by: UUID | None) -> list[str]:
    """The commands that a person may give to a ticket as it stands now, in the order of the API."""
    held, as_customer = _standing(identity, ticket)
    commands = [each for each in TICKET_COMMANDS if _access(each, held, as_customer) is Access.ALLOWED]
    if state_type == "removed":
        return []
    if state_type == "merged":
        return [each for each in commands if each in ("undo", "message")]
    foreign = locked_by is not None and locked_by != identity.person_id
    closed = state_type == "closed"
    return [
        each
        for each in commands
        if not (foreign and (each in LOCK_REFUSES or (each == "unlock" and not identity.is_admin)))
        and not (each == "reopen" and not closed)
        and not (each == "unlock" and locked_by is None)
        and not (each == "lock" and locked_by == identity.person_id)
    ]
