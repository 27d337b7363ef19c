"""Configuration documents and their events."""

from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from pydantic import Field, PlainSerializer

from shared.contracts.event import Event, event
from shared.contracts.marks.declaration import (
    Document,
    DocumentPart,
    Input,
    MayName,
    Named,
    PersonOrAddress,
    ReadOnly,
    ReferenceTo,
    Shown,
)
from shared.contracts.marks.open_values import Known
from shared.contracts.marks.personal import Personal
from shared.contracts.parts import AnyStateType, QueueRef
from shared.contracts.topics import DIRECTORY
from shared.input_types import (
    Day,
    Flag,
    Hours,
    Language,
    Line,
    Login,
    MailAddress,
    MailDomain,
    Slug,
    Text,
    TimeOfDay,
    TimeZone,
    Title,
    Whole,
)
from shared.timestamps import timestamp

Right = Literal["read", "create", "move_into", "note", "work"]
Role = Literal["admin", "agent", "customer"]
FollowUp = Literal["reopen", "new-linked", "reject"]
AnyFollowUp = Annotated[str, Known(FollowUp)]
Notice = Literal["new_ticket", "follow_up", "lock_expired", "moved", "assigned", "escalated"]
"""What agents may want a mail about (A10.05): what happens in queues that they follow; `assigned`: that a ticket became
theirs."""
FieldKind = Literal["text", "number", "date", "flag", "choice"]
Protocol = Literal["imap", "pop3"]
Encryption = Literal["implicit", "starttls", "none"]
Afterwards = Literal["flag", "move", "delete"]
Every = Literal["day", "week", "month"]
ReportFormat = Literal["csv", "xlsx", "json"]
Happening = Literal[
    "opened", "customer-message", "answered", "note", "state-changed", "moved", "owner-changed", "priority-changed",
    "tagged", "deadline-warned", "deadline-broken", "reminder", "idle"
]  # fmt: skip
"""What a trigger can act on."""
ReportParameter = str | int | bool | tuple[str, ...]

QueueSlug = Annotated[str, ReferenceTo("queue")]
Minutes = Annotated[float, Input(strict=True, gt=0, le=5_256_000, allow_inf_nan=False)]
"""A time of at most ten years; fractions are allowed."""
TextOfMails = Annotated[str, Input(Text, max_length=10_000)]


class Member(DocumentPart):
    """What one person may do on a queue."""

    person: Annotated[UUID, ReferenceTo("person", keeps_retired=True)]
    rights: Annotated[tuple[Annotated[str, Known(Right)], ...], Input(max_length=5)]


class Queue(Named):
    """A queue."""

    KIND = "queue"

    parent: QueueSlug | None = None
    """The queue above this one."""
    address: Annotated[str, Input(MailAddress)] | None = None
    """The address whose mail goes here; null: the queue gets no mail."""
    display_name: Annotated[str, Input(max_length=200)] = ""
    """The sender's name on mails from this queue."""
    salutation: Annotated[TextOfMails, MayName("salutation")] = ""
    """How mails begin: a text, or the slug of a salutation."""
    signature: Annotated[TextOfMails, MayName("signature")] = ""
    """How mails end: a text, or the slug of a signature."""
    next_state_after_reply: Annotated[str, Input(Slug), MayName("state")] = "open"
    """The state after a reply that names none, by slug."""
    lock_timeout_minutes: Annotated[float, Input(strict=True, gt=0, le=525_600, allow_inf_nan=False)] | None = None
    """After this time a lock expires; null: never."""
    follow_up: AnyFollowUp = "reopen"
    """What a message to a closed ticket does."""
    follow_up_days: Annotated[int, Input(ge=0, le=36_525)] | None = None
    """With `reopen`: a closed ticket reopens within this many days; later messages open tickets of their own.

    Null: always.
    """
    unverified_reopens: bool = False
    """Mail from somebody who is not known to take part may reopen a closed ticket."""
    opens_copies: bool = False
    """A mail that another queue got first opens a ticket here too, linked to the first."""
    opens_reports: bool = False
    """Delivery reports and absence notes that belong to no ticket open one."""
    junk_queue: QueueSlug | None = None
    """The queue for mails that a filter marks as spam."""
    tells_when_closed: Annotated[bool, Input(default=True)] = False
    """The customer gets a mail when a ticket is closed without an answer (A5.14)."""
    members: Annotated[tuple[Member, ...], Input(max_length=2000)] = ()

    @property
    def ref(self) -> QueueRef:
        """The queue as events name it."""
        return QueueRef(id=self.id, slug=self.slug, name=self.name)


class Absence(DocumentPart):
    """When a person is away (A21.01)."""

    active: bool
    first_day: date
    last_day: date
    """Both days are part of the absence."""
    substitute: UUID | None = None
    """Another person, who gets the notices too."""


class Person(Document):
    """A person who may sign in. The password is no part of the document: its hash never leaves the gateway."""

    KIND = "person"
    URL_FIELD = "login"

    login: Annotated[str, Input(Login)]
    name: Annotated[Personal[str], Input(Title)]
    email: Annotated[Personal[str], Input(MailAddress)]
    roles: Annotated[tuple[Annotated[str, Known(Role)], ...], Input(required=True, min_length=1, max_length=3)] = ()
    company: Annotated[str, ReferenceTo("company")] | None = None
    """The company of a customer."""
    language: Annotated[str, Input(Language)] | None = None
    follows: Annotated[tuple[UUID, ...], ReadOnly("/session/queues"), Input(max_length=500)] = ()
    """The queues that the person follows: "my queues" (A3.14)."""
    notices: Annotated[
        tuple[Annotated[str, Known(Notice)], ...], ReadOnly("/session/notices"), Input(max_length=10)
    ] = ()
    """What the person wants a mail about, of tickets in their queues (A10.05, A10.06)."""
    timezone: Annotated[Annotated[str, Input(TimeZone)] | None, ReadOnly("/session/preferences")] = None
    """The time zone in which the person reads times; null: that of the desk."""
    absence: Annotated[Absence | None, ReadOnly("/session/absence")] = None


class Company(Named):
    """An organisation that customers belong to."""

    KIND = "company"

    domains: Annotated[tuple[Annotated[str, Input(MailDomain)], ...], Input(max_length=200)] = ()
    """Mail domains. Their senders belong to the company unless their record names another. Subdomains do not count."""


class SmallDocument(Named):
    """A smaller document. What they have in common is the form of their events."""


class State(SmallDocument):
    """A state of tickets (A5.01). The rules look at its type alone."""

    KIND = "state"

    type: AnyStateType
    """Cannot change."""
    close_after_hours: Annotated[float, Input(strict=True, gt=0, le=87_660, allow_inf_nan=False)] | None = None
    """How long a ticket stays in a pending state if its form gives no date; null: 24 hours."""


class Priority(SmallDocument):
    """A priority (A4.02); `slug` is its number."""

    KIND = "priority"

    number: Annotated[int, Input(ge=1, le=5)]
    offered_to_customers: bool = True


class Template(SmallDocument):
    """A standard answer (A8.01)."""

    KIND = "template"

    subject: str = ""
    text: Annotated[str, Input(Text, min_length=1, max_length=100_000)]
    queues: Annotated[tuple[QueueSlug, ...], Input(max_length=500)] = ()
    """The queues that offer it; empty: every queue."""


class Salutation(SmallDocument):
    """How a mail begins (A8.03)."""

    KIND = "salutation"

    text: TextOfMails


class Signature(SmallDocument):
    """How a mail ends (A8.04)."""

    KIND = "signature"

    text: TextOfMails


class TicketField(SmallDocument):
    """A field of tickets (A7.27, A21.09)."""

    KIND = "field"

    kind: Annotated[str, Known(FieldKind)] = "text"
    """Cannot change."""
    choices: Annotated[tuple[Annotated[str, Input(min_length=1, max_length=200)], ...], Input(max_length=500)] = ()
    """The values of a `choice`."""
    required_in: Annotated[tuple[QueueSlug, ...], Input(max_length=500)] = ()
    """The queues whose tickets need a value before they are closed (A7.25)."""


class Password(DocumentPart):
    """Opens a mailbox with a password. The document names the secret that holds it."""

    kind: Literal["password"]
    secret: Annotated[str, Input(Slug)]
    """The name of a file in the secrets folder of the intake service."""


class OAuth2(DocumentPart):
    """Opens a mailbox with access tokens (XOAUTH2) for a refresh token (RFC 6749, section 6).

    The document names the secrets.
    """

    kind: Literal["oauth2"]
    client_id: Annotated[str, Input(min_length=1)]
    token_endpoint: Annotated[str, Input(min_length=1)]
    """The https address that gives access tokens."""
    refresh_token: Annotated[str, Input(Slug)]
    """The name of a file in the secrets folder of the intake service."""
    client_secret: Annotated[str, Input(Slug)] | None = None
    """The name of a file in the secrets folder of the intake service."""
    scope: str = ""


class OtherCredential(DocumentPart):
    """A credential of a kind that a later version has added. This version leaves such a mailbox alone."""

    kind: str


class Mailbox(SmallDocument):
    """A mailbox on another server, from which mails are fetched (A1.01)."""

    KIND = "mailbox"

    protocol: Annotated[str, Known(Protocol)]
    host: Annotated[str, Input(min_length=1, max_length=253)]
    port: Annotated[int, Input(ge=1, le=65_535)]
    tls: Annotated[str, Known(Encryption)] = "implicit"
    """`none` only for a server on the same machine."""
    user: Annotated[str, Input(min_length=1)]
    credential: Annotated[
        Password | OAuth2 | OtherCredential,
        Field(union_mode="left_to_right"),
        Input(Password | OAuth2, discriminator="kind"),
        Shown(Password | OAuth2),
    ]
    folder: Annotated[str, Input(min_length=1, max_length=200)] = "INBOX"
    afterwards: Annotated[str, Known(Afterwards)] = "flag"
    """What happens on the server to a mail that has been fetched: it is marked as seen, moved or deleted."""
    move_to: Annotated[str, Input(min_length=1, max_length=200)] | None = None
    """With `move`: the folder that takes it."""
    recipient: Annotated[str, Input(MailAddress)] | None = None
    """The address that the mails are for; null: what the mails themselves say."""
    trusted: bool = False
    """Headers of its mails may set the queue, priority and so on, and its server's word on their recipients counts."""


class AskedField(DocumentPart):
    """A field that a topic asks for."""

    field: Annotated[str, ReferenceTo("field")]
    required: bool = False
    """No ticket opens without a value (A7.25)."""


class Topic(SmallDocument):
    """What a customer can ask for (A3.12, A1.06): a form that leads to a queue."""

    KIND = "topic"

    queue: Annotated[QueueSlug, Shown(str | None)]
    """The queue that it leads to; only administrators see it."""
    guidance: Annotated[str, Input(Text, max_length=10_000)] = ""
    """Helps customers to choose the right topic."""
    fields: Annotated[tuple[AskedField, ...], Input(max_length=100)] = ()
    attachment_required: bool = False
    """No ticket opens without a file (A7.24)."""
    offered_to_customers: bool = True


class ReportSchedule(SmallDocument):
    """A report that is sent by mail again and again (A10.13)."""

    KIND = "report-schedule"

    report: Annotated[str, Input(Slug)]
    """The name of the report, as GET /reports lists it."""
    parameters: Annotated[
        dict[str, ReportParameter],
        Input(
            dict[
                Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[a-z_.0-9-]+$")],
                Annotated[Line, Field(strict=True)]
                | Flag
                | Whole
                | Annotated[list[Annotated[Line, Field(strict=True)]], Field(max_length=50)],
            ],
            max_length=20,
        ),
    ] = {}  # noqa: RUF012 - documents are frozen
    """The parameters of the report without `from`, `to` and `format`."""
    every: Annotated[str, Known(Every)]
    """When it is due: each day, each Monday, or on the first of each month. It covers the day, week or month before."""
    at: Annotated[str, Input(TimeOfDay)]
    """The time of the day, such as 07:00."""
    timezone: Annotated[str, Input(TimeZone)]
    """The time zone of `at`, and of the days that the report covers."""
    to: Annotated[
        Personal[tuple[Annotated[str, PersonOrAddress()], ...]], Input(required=True, min_length=1, max_length=50)
    ]
    """Who gets it: people by id, others by mail address. A person is named by login or id."""
    format: Annotated[str, Known(ReportFormat)] = "csv"
    active: bool = True
    """Whether it is sent when it is due. It can always be sent by hand."""


class Calendar(SmallDocument):
    """Working time (A21.14)."""

    KIND = "calendar"

    timezone: Annotated[str, Input(TimeZone)]
    """The time zone of the hours and days."""
    hours: Annotated[dict[str, tuple[tuple[str, str], ...]], Input(Hours, required=True), Shown(Hours)] = {}  # noqa: RUF012 - documents are frozen
    """The hours of each weekday (`mon` to `sun`), as from and to; a weekday that is not named has none."""
    holidays: str | None = None
    """The country whose public holidays are no working days, by its code (ISO 3166), such as NO."""
    days_off: Annotated[tuple[Annotated[date, Input(Day)], ...], Input(max_length=2_000)] = ()
    """Further days without hours."""
    days_on: Annotated[tuple[Annotated[date, Input(Day)], ...], Input(max_length=2_000)] = ()
    """Days with the hours of their weekday, even if they are holidays or days off."""


class Sla(SmallDocument):
    """A service level agreement (A21.14): what is promised for the tickets that it fits."""

    KIND = "sla"

    calendar: Annotated[str, ReferenceTo("calendar")] | None = None
    """The working time in which minutes count; null: always."""
    order: Annotated[int, Input(ge=0, le=1_000_000)] = 0
    """The first SLA by order that fits a ticket holds for it; of equal ones, the first by slug."""
    queues: Annotated[tuple[QueueSlug, ...], Input(max_length=500)] = ()
    """The queues whose tickets it fits; empty: all."""
    priorities: Annotated[tuple[Annotated[int, Input(ge=1, le=5)], ...], Input(max_length=5)] = ()
    """The priorities that it fits; empty: all."""
    companies: Annotated[tuple[Annotated[str, ReferenceTo("company")], ...], Input(max_length=500)] = ()
    """The companies whose tickets it fits; empty: all."""
    topics: Annotated[tuple[Annotated[str, ReferenceTo("topic")], ...], Input(max_length=500)] = ()
    """The topics whose tickets it fits; empty: all."""
    first_answer_minutes: Minutes | None = None
    """From the opening to the first reply; null: no such clock."""
    update_minutes: Minutes | None = None
    """From the customer's oldest unanswered message to a reply; null: no such clock."""
    solution_minutes: Minutes | None = None
    """From the opening to the closing; null: no such clock."""
    warn_percent: Annotated[float, Input(strict=True, gt=0, le=100, allow_inf_nan=False)] = 80
    """When so much of the time is over, the clock warns."""
    pauses_in: Annotated[tuple[Annotated[str, ReferenceTo("state")], ...], Input(max_length=100)] = ()
    """The states in which the clocks stand still."""


class SwitchedOff(DocumentPart):
    """Why and when the system switched a trigger off."""

    reason: str
    at: Annotated[datetime, PlainSerializer(timestamp, when_used="json")]


class Trigger(SmallDocument):
    """A rule: when something happens to a ticket and a condition holds, actions are done (A9.02)."""

    KIND = "trigger"

    order: Annotated[int, Input(ge=0, le=1_000_000)] = 0
    """Triggers act in this order; of equal ones, the first by slug."""
    active: bool = True
    on: Annotated[tuple[Annotated[str, Known(Happening)], ...], Input(required=True, min_length=1, max_length=13)] = ()
    """What happens: one of these."""
    idle_minutes: Minutes | None = None
    """With `idle`: after so long without an act of a person."""
    when: dict[str, Any] = {}  # noqa: RUF012 - documents are frozen
    """The condition (`shared.automation.conditions`)."""
    then: tuple[dict[str, Any], ...] = ()
    """The actions, in their order (`shared.automation.actions`)."""
    switched_off: Annotated[SwitchedOff | None, ReadOnly("active", until_saved=True)] = None
    """Why the system has switched it off, until somebody saves it."""


class Macro(SmallDocument):
    """Several actions that an agent does at once (A8.06)."""

    KIND = "macro"

    queues: Annotated[tuple[QueueSlug, ...], Input(max_length=500)] = ()
    """The queues that offer it; empty: every queue."""
    then: tuple[dict[str, Any], ...] = ()
    """The actions, in their order (`shared.automation.actions`)."""


D = TypeVar("D", bound=SmallDocument)

SMALL_DOCUMENTS: tuple[type[SmallDocument], ...] = (
    State,
    Priority,
    Template,
    Salutation,
    Signature,
    TicketField,
    Mailbox,
    Topic,
    ReportSchedule,
    Calendar,
    Sla,
    Trigger,
    Macro,
)
DOCUMENTS: tuple[type[Document], ...] = (Queue, Person, Company, *SMALL_DOCUMENTS)


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


class SmallDocumentSaved(Event, Generic[D]):
    """What the events of the smaller documents share."""

    document: D


class SmallDocumentRetired(Event, Generic[D]):
    """The document is out of use."""

    document: D


@event("helpdesk.StateSaved.v1", owner="gateway", topic=DIRECTORY)
class StateSaved(SmallDocumentSaved[State]):
    pass


@event("helpdesk.StateRetired.v1", owner="gateway", topic=DIRECTORY)
class StateRetired(SmallDocumentRetired[State]):
    pass


@event("helpdesk.PrioritySaved.v1", owner="gateway", topic=DIRECTORY)
class PrioritySaved(SmallDocumentSaved[Priority]):
    pass


@event("helpdesk.PriorityRetired.v1", owner="gateway", topic=DIRECTORY)
class PriorityRetired(SmallDocumentRetired[Priority]):
    pass


@event("helpdesk.TemplateSaved.v1", owner="gateway", topic=DIRECTORY)
class TemplateSaved(SmallDocumentSaved[Template]):
    pass


@event("helpdesk.TemplateRetired.v1", owner="gateway", topic=DIRECTORY)
class TemplateRetired(SmallDocumentRetired[Template]):
    pass


@event("helpdesk.SalutationSaved.v1", owner="gateway", topic=DIRECTORY)
class SalutationSaved(SmallDocumentSaved[Salutation]):
    pass


@event("helpdesk.SalutationRetired.v1", owner="gateway", topic=DIRECTORY)
class SalutationRetired(SmallDocumentRetired[Salutation]):
    pass


@event("helpdesk.SignatureSaved.v1", owner="gateway", topic=DIRECTORY)
class SignatureSaved(SmallDocumentSaved[Signature]):
    pass


@event("helpdesk.SignatureRetired.v1", owner="gateway", topic=DIRECTORY)
class SignatureRetired(SmallDocumentRetired[Signature]):
    pass


@event("helpdesk.TicketFieldSaved.v1", owner="gateway", topic=DIRECTORY)
class TicketFieldSaved(SmallDocumentSaved[TicketField]):
    pass


@event("helpdesk.TicketFieldRetired.v1", owner="gateway", topic=DIRECTORY)
class TicketFieldRetired(SmallDocumentRetired[TicketField]):
    pass


@event("helpdesk.MailboxSaved.v1", owner="gateway", topic=DIRECTORY)
class MailboxSaved(SmallDocumentSaved[Mailbox]):
    pass


@event("helpdesk.MailboxRetired.v1", owner="gateway", topic=DIRECTORY)
class MailboxRetired(SmallDocumentRetired[Mailbox]):
    pass


@event("helpdesk.TopicSaved.v1", owner="gateway", topic=DIRECTORY)
class TopicSaved(SmallDocumentSaved[Topic]):
    pass


@event("helpdesk.TopicRetired.v1", owner="gateway", topic=DIRECTORY)
class TopicRetired(SmallDocumentRetired[Topic]):
    pass


@event("helpdesk.ReportScheduleSaved.v1", owner="gateway", topic=DIRECTORY)
class ReportScheduleSaved(SmallDocumentSaved[ReportSchedule]):
    pass


@event("helpdesk.ReportScheduleRetired.v1", owner="gateway", topic=DIRECTORY)
class ReportScheduleRetired(SmallDocumentRetired[ReportSchedule]):
    pass


@event("helpdesk.CalendarSaved.v1", owner="gateway", topic=DIRECTORY)
class CalendarSaved(SmallDocumentSaved[Calendar]):
    pass


@event("helpdesk.CalendarRetired.v1", owner="gateway", topic=DIRECTORY)
class CalendarRetired(SmallDocumentRetired[Calendar]):
    pass


@event("helpdesk.SlaSaved.v1", owner="gateway", topic=DIRECTORY)
class SlaSaved(SmallDocumentSaved[Sla]):
    pass


@event("helpdesk.SlaRetired.v1", owner="gateway", topic=DIRECTORY)
class SlaRetired(SmallDocumentRetired[Sla]):
    pass


@event("helpdesk.TriggerSaved.v1", owner="gateway", topic=DIRECTORY)
class TriggerSaved(SmallDocumentSaved[Trigger]):
    pass


@event("helpdesk.TriggerRetired.v1", owner="gateway", topic=DIRECTORY)
class TriggerRetired(SmallDocumentRetired[Trigger]):
    pass


@event("helpdesk.MacroSaved.v1", owner="gateway", topic=DIRECTORY)
class MacroSaved(SmallDocumentSaved[Macro]):
    pass


@event("helpdesk.MacroRetired.v1", owner="gateway", topic=DIRECTORY)
class MacroRetired(SmallDocumentRetired[Macro]):
    pass
