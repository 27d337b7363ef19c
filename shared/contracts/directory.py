"""Configuration documents and their events. The stream of a document is its id; its version is the stream's."""

from typing import Literal
from uuid import UUID

from shared.contracts.event import Event, Value, event
from shared.contracts.personal import Personal
from shared.contracts.topics import DIRECTORY

Right = Literal["read", "create", "move_into", "note", "work"]
Role = Literal["admin", "agent", "customer"]
FollowUp = Literal["reopen", "new-linked", "reject"]


class Member(Value):
    """What one person may do on a queue."""

    person: UUID
    rights: tuple[Right, ...]


class Queue(Value):
    """A queue (api.md, section 5). `address` is lower case; null for a queue that gets no mail."""

    id: UUID
    slug: str
    name: str
    parent: str | None = None
    address: str | None = None
    display_name: str = ""
    salutation: str = ""
    signature: str = ""
    next_state_after_reply: str = "open"
    lock_timeout_minutes: float | None = None
    follow_up: FollowUp = "reopen"
    members: tuple[Member, ...] = ()


class Person(Value):
    """Somebody who may sign in. The password is not part of the document: its hash never leaves the gateway."""

    id: UUID
    login: str
    name: Personal[str]
    email: Personal[str]
    roles: tuple[Role, ...] = ()
    company: str | None = None
    language: str | None = None


class Company(Value):
    """An organisation that customers belong to."""

    id: UUID
    slug: str
    name: str
    domains: tuple[str, ...] = ()


@event("helpdesk.QueueSaved.v1", owner="gateway", topic=DIRECTORY)
class QueueSaved(Event):
    queue: Queue


@event("helpdesk.QueueRetired.v1", owner="gateway", topic=DIRECTORY)
class QueueRetired(Event):
    queue: Queue


@event("helpdesk.PersonSaved.v1", owner="gateway", topic=DIRECTORY)
class PersonSaved(Event):
    """`password_changed` tells that the person got another password in the same act."""

    person: Person
    password_changed: bool = False


@event("helpdesk.PersonRetired.v1", owner="gateway", topic=DIRECTORY)
class PersonRetired(Event):
    person: Person


@event("helpdesk.CompanySaved.v1", owner="gateway", topic=DIRECTORY)
class CompanySaved(Event):
    company: Company


@event("helpdesk.CompanyRetired.v1", owner="gateway", topic=DIRECTORY)
class CompanyRetired(Event):
    company: Company
