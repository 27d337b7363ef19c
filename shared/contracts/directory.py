"""Configuration documents and their events. The stream of a document is its id; its version is the stream's."""

from typing import Annotated, ClassVar, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import Field

from shared.contracts.event import Event, Value, event
from shared.contracts.open_values import Known
from shared.contracts.parts import AnyStateType
from shared.contracts.personal import Personal
from shared.contracts.topics import DIRECTORY

DocumentKind = Literal[
    "queue",
    "person",
    "company",
    "state",
    "priority",
    "template",
    "salutation",
    "signature",
    "field",
    "mailbox",
    "topic",
]
Right = Literal["read", "create", "move_into", "note", "work"]
Role = Literal["admin", "agent", "customer"]
FollowUp = Literal["reopen", "new-linked", "reject"]
AnyFollowUp = Annotated[str, Known(FollowUp)]
Notice = Literal["new_ticket", "follow_up", "lock_expired", "moved"]
"""What happens in queues that an agent follows, and what they may want a mail about (A10.05)."""
FieldKind = Literal["text", "number", "date", "flag", "choice"]
Protocol = Literal["imap", "pop3"]
Encryption = Literal["implicit", "starttls", "none"]
Afterwards = Literal["flag", "move", "delete"]


class Member(Value):
    """What one person may do on a queue."""

    person: UUID
    rights: tuple[Annotated[str, Known(Right)], ...]


class Queue(Value):
    """A queue (api.md, section 5). `address` is lower case; null for a queue that gets no mail.

    `follow_up_days`: a closed ticket reopens within so many; a later message becomes a ticket of its own. A `salutation` or `signature`
    that is the slug of such a document stands for its text. `tells_when_closed`: the customer gets a mail when a ticket is closed (A5.14).

    Of mails: `unverified_reopens`: who did not show that they take part may reopen a closed ticket all the same; `opens_copies`: a mail
    that went to another queue first opens a ticket here too; `opens_reports`: so do machines' answers that belong to no ticket;
    `junk_queue`: the slug of the queue that takes what a filter calls spam.
    """

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
    follow_up: AnyFollowUp = "reopen"
    follow_up_days: int | None = None
    unverified_reopens: bool = False
    opens_copies: bool = False
    opens_reports: bool = False
    junk_queue: str | None = None
    tells_when_closed: bool = False
    members: tuple[Member, ...] = ()


class Person(Value):
    """Somebody who may sign in. The password is not part of the document: its hash never leaves the gateway."""

    id: UUID
    login: str
    name: Personal[str]
    email: Personal[str]
    roles: tuple[Annotated[str, Known(Role)], ...] = ()
    company: str | None = None
    language: str | None = None
    follows: tuple[UUID, ...] = ()
    """The queues that the person follows: "my queues" (A3.14)."""
    notices: tuple[Annotated[str, Known(Notice)], ...] = ()
    """What the person wants a mail about, of tickets in their queues (A10.05, A10.06)."""


class Company(Value):
    """An organisation that customers belong to."""

    id: UUID
    slug: str
    name: str
    domains: tuple[str, ...] = ()


class Setting(Value):
    """What the smaller documents share. `slug` names one for ever, `name` may change."""

    KIND: ClassVar[str]

    id: UUID
    slug: str
    name: str


class State(Setting):
    """A state of tickets (A5.01). `close_after_hours`: how long a pending one waits where a form gives no date."""

    KIND: ClassVar[str] = "state"

    type: AnyStateType
    close_after_hours: float | None = None


class Priority(Setting):
    """A priority (A4.02); `slug` is its number, 1 to 5."""

    KIND: ClassVar[str] = "priority"

    number: int
    offered_to_customers: bool = True


class Template(Setting):
    """A standard answer (A8.01), of the queues named by slug; of every queue if none is."""

    KIND: ClassVar[str] = "template"

    subject: str = ""
    text: str
    queues: tuple[str, ...] = ()


class Salutation(Setting):
    """How a mail begins (A8.03)."""

    KIND: ClassVar[str] = "salutation"

    text: str


class Signature(Setting):
    """How a mail ends (A8.04)."""

    KIND: ClassVar[str] = "signature"

    text: str


class TicketField(Setting):
    """A field of tickets (A7.27, A21.09). `required_in` names queues whose tickets need a value before they are closed (A7.25)."""

    KIND: ClassVar[str] = "field"

    kind: Annotated[str, Known(FieldKind)] = "text"
    choices: tuple[str, ...] = ()
    required_in: tuple[str, ...] = ()


class Password(Value):
    """How a mailbox is opened: by the password that stands in the secret of this name, which no document or event holds."""

    kind: Literal["password"]
    secret: str


class OAuth2(Value):
    """How a mailbox is opened: by access tokens (XOAUTH2) that `token_endpoint` gives for a refresh token. `refresh_token` and
    `client_secret` name secrets, which no document or event holds."""

    kind: Literal["oauth2"]
    client_id: str
    token_endpoint: str
    refresh_token: str
    client_secret: str | None = None
    scope: str = ""


class OtherCredential(Value):
    """A way of tomorrow to open a mailbox: this version cannot, and leaves it alone."""

    kind: str


class Mailbox(Setting):
    """A mailbox on another server, from which mails are fetched (A1.01).

    `afterwards`: what happens there to a mail once it is safe here: it is marked as seen, moved to the folder `move_to`, or deleted.
    `recipient` is the address that its mails are for, so that it decides on the queue; null: what the mails themselves say. Mails from a
    `trusted` one may steer what becomes of them, and its server's word on their recipients counts.
    """

    KIND: ClassVar[str] = "mailbox"

    protocol: Annotated[str, Known(Protocol)]
    host: str
    port: int
    tls: Annotated[str, Known(Encryption)] = "implicit"
    user: str
    credential: Annotated[Password | OAuth2 | OtherCredential, Field(union_mode="left_to_right")]
    folder: str = "INBOX"
    afterwards: Annotated[str, Known(Afterwards)] = "flag"
    move_to: str | None = None
    recipient: str | None = None
    trusted: bool = False


class AskedField(Value):
    """A field that a topic asks, by its slug; `required`: there is no ticket without a value (A7.25)."""

    field: str
    required: bool = False


class Topic(Setting):
    """What somebody can ask for (A3.12, A1.06): it leads to a queue, by its slug, tells in `guidance` when it is the right one, and is the form
    that asks what the desk needs to know. `attachment_required`: a file has to come along (A7.24).
    """

    KIND: ClassVar[str] = "topic"

    queue: str
    guidance: str = ""
    fields: tuple[AskedField, ...] = ()
    attachment_required: bool = False
    offered_to_customers: bool = True


D = TypeVar("D", bound=Setting)

SETTINGS: tuple[type[Setting], ...] = (State, Priority, Template, Salutation, Signature, TicketField, Mailbox, Topic)


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


class SettingSaved(Event, Generic[D]):
    """What the events of the smaller documents share."""

    document: D


class SettingRetired(Event, Generic[D]):
    """The document is out of use."""

    document: D


@event("helpdesk.StateSaved.v1", owner="gateway", topic=DIRECTORY)
class StateSaved(SettingSaved[State]):
    pass


@event("helpdesk.StateRetired.v1", owner="gateway", topic=DIRECTORY)
class StateRetired(SettingRetired[State]):
    pass


@event("helpdesk.PrioritySaved.v1", owner="gateway", topic=DIRECTORY)
class PrioritySaved(SettingSaved[Priority]):
    pass


@event("helpdesk.PriorityRetired.v1", owner="gateway", topic=DIRECTORY)
class PriorityRetired(SettingRetired[Priority]):
    pass


@event("helpdesk.TemplateSaved.v1", owner="gateway", topic=DIRECTORY)
class TemplateSaved(SettingSaved[Template]):
    pass


@event("helpdesk.TemplateRetired.v1", owner="gateway", topic=DIRECTORY)
class TemplateRetired(SettingRetired[Template]):
    pass


@event("helpdesk.SalutationSaved.v1", owner="gateway", topic=DIRECTORY)
class SalutationSaved(SettingSaved[Salutation]):
    pass


@event("helpdesk.SalutationRetired.v1", owner="gateway", topic=DIRECTORY)
class SalutationRetired(SettingRetired[Salutation]):
    pass


@event("helpdesk.SignatureSaved.v1", owner="gateway", topic=DIRECTORY)
class SignatureSaved(SettingSaved[Signature]):
    pass


@event("helpdesk.SignatureRetired.v1", owner="gateway", topic=DIRECTORY)
class SignatureRetired(SettingRetired[Signature]):
    pass


@event("helpdesk.TicketFieldSaved.v1", owner="gateway", topic=DIRECTORY)
class TicketFieldSaved(SettingSaved[TicketField]):
    pass


@event("helpdesk.TicketFieldRetired.v1", owner="gateway", topic=DIRECTORY)
class TicketFieldRetired(SettingRetired[TicketField]):
    pass


@event("helpdesk.MailboxSaved.v1", owner="gateway", topic=DIRECTORY)
class MailboxSaved(SettingSaved[Mailbox]):
    pass


@event("helpdesk.MailboxRetired.v1", owner="gateway", topic=DIRECTORY)
class MailboxRetired(SettingRetired[Mailbox]):
    pass


@event("helpdesk.TopicSaved.v1", owner="gateway", topic=DIRECTORY)
class TopicSaved(SettingSaved[Topic]):
    pass


@event("helpdesk.TopicRetired.v1", owner="gateway", topic=DIRECTORY)
class TopicRetired(SettingRetired[Topic]):
    pass
