"""What the answers about configuration documents look like, for the OpenAPI document."""

from datetime import datetime
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from shared.http.bodies import Body

Shown = TypeVar("Shown", bound=Body)


class MemberShown(Body):
    person: UUID
    rights: list[str]


class QueueShown(Body):
    """A queue as it stands."""

    id: UUID
    slug: str
    name: str
    parent: str | None
    address: str | None
    display_name: str
    salutation: str
    signature: str
    next_state_after_reply: str
    lock_timeout_minutes: float | None
    follow_up: str
    follow_up_days: int | None
    unverified_reopens: bool
    opens_copies: bool
    opens_reports: bool
    junk_queue: str | None
    tells_when_closed: bool
    members: list[MemberShown]
    version: int
    retired: bool
    created_at: datetime
    updated_at: datetime


class PersonListed(Body):
    """A person. Administrators, and the person, see all of it; agents see `id`, `login` and `name`."""

    id: UUID
    login: str
    name: str
    email: str | None = None
    roles: list[str] | None = None
    company: str | None = None
    language: str | None = None
    follows: list[UUID] | None = None
    notices: list[str] | None = None
    version: int | None = None
    retired: bool | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


class CompanyShown(Body):
    """A company as it stands."""

    id: UUID
    slug: str
    name: str
    domains: list[str]
    version: int
    retired: bool
    created_at: datetime
    updated_at: datetime


class SettingShown(Body):
    """What the smaller documents share as they stand."""

    id: UUID
    slug: str
    name: str
    version: int
    retired: bool
    created_at: datetime
    updated_at: datetime


class StateShown(SettingShown):
    """A state of tickets."""

    type: str
    close_after_hours: float | None


class PriorityShown(SettingShown):
    """A priority."""

    number: int
    offered_to_customers: bool


class TemplateShown(SettingShown):
    """A standard answer."""

    subject: str
    text: str
    queues: list[str]


class TextShown(SettingShown):
    """A salutation or signature."""

    text: str


class FieldShown(SettingShown):
    """A field of tickets."""

    kind: str
    choices: list[str]
    required_in: list[str]


class PasswordShown(Body):
    """The name of the secret, never the secret."""

    kind: Literal["password"]
    secret: str


class OAuth2Shown(Body):
    """The names of the secrets, never the secrets."""

    kind: Literal["oauth2"]
    client_id: str
    token_endpoint: str
    refresh_token: str
    client_secret: str | None
    scope: str


class MailboxShown(SettingShown):
    """A mailbox from which mails are fetched."""

    protocol: str
    host: str
    port: int
    tls: str
    user: str
    credential: PasswordShown | OAuth2Shown
    folder: str
    afterwards: str
    move_to: str | None
    recipient: str | None
    trusted: bool


class AskedFieldShown(Body):
    field: str
    required: bool


class TopicShown(SettingShown):
    """What somebody can ask for; only administrators see the queue that it leads to."""

    queue: str | None
    guidance: str
    fields: list[AskedFieldShown]
    attachment_required: bool
    offered_to_customers: bool


class ActorShown(Body):
    kind: str
    id: str | None


class DocumentEvent(Body):
    """One saved version; `data` is the event's payload."""

    id: UUID
    type: str
    source: str
    version: int
    at: datetime
    actor: ActorShown
    data: dict[str, Any]


class DocumentHistory(Body):
    items: list[DocumentEvent]
    next_cursor: str | None


class DocumentList(Body, Generic[Shown]):
    items: list[Shown]
    next_cursor: str | None
