"""The rules of a configuration document: a queue, a person, a state, a template ... Its stream is its id.

What a rule needs to know of other documents comes with the command.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from shared.contracts import directory
from shared.contracts.directory import (
    Company,
    CompanyRetired,
    CompanySaved,
    MailboxRetired,
    MailboxSaved,
    Person,
    PersonRetired,
    PersonSaved,
    PriorityRetired,
    PrioritySaved,
    Queue,
    QueueRetired,
    QueueSaved,
    SalutationRetired,
    SalutationSaved,
    Setting,
    SettingRetired,
    SettingSaved,
    SignatureRetired,
    SignatureSaved,
    StateRetired,
    StateSaved,
    TemplateRetired,
    TemplateSaved,
    TicketFieldRetired,
    TicketFieldSaved,
    TopicRetired,
    TopicSaved,
)
from shared.contracts.event import Event
from shared.rules.rejected import Rejected
from shared.rules.states import STANDARD

Document: TypeAlias = Queue | Person | Company | Setting
DEFAULT_QUEUE = "postmaster"
SAVED: dict[str, Callable[..., Event]] = {
    "state": StateSaved,
    "priority": PrioritySaved,
    "template": TemplateSaved,
    "salutation": SalutationSaved,
    "signature": SignatureSaved,
    "field": TicketFieldSaved,
    "mailbox": MailboxSaved,
    "topic": TopicSaved,
}
RETIRED: dict[str, Callable[..., Event]] = {
    "state": StateRetired,
    "priority": PriorityRetired,
    "template": TemplateRetired,
    "salutation": SalutationRetired,
    "signature": SignatureRetired,
    "field": TicketFieldRetired,
    "mailbox": MailboxRetired,
    "topic": TopicRetired,
}


@dataclass(frozen=True, slots=True)
class State:
    """A document as its own events left it; None before the first one."""

    document: Document | None = None
    retired: bool = False


@dataclass(frozen=True, slots=True)
class Save:
    """Put this in place of what was there. `last_admin`: nobody else in use is an administrator."""

    document: Document
    password_changed: bool = False
    last_admin: bool = False


@dataclass(frozen=True, slots=True)
class Retire:
    """Take the document out of use. `queues` are the slugs of queues that need it: those below a queue or whose junk goes there, those whose answers
    lead to a state, those whose mails begin or end with a salutation or signature. `topics` are those of topics that lead to a queue or ask for a field."""

    last_admin: bool = False
    queues: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()


Command: TypeAlias = Save | Retire


def initial() -> State:
    return State()


def decide(command: Command, state: State) -> list[Event]:
    match command:
        case Save(document=Person() as person, last_admin=True) if "admin" not in person.roles:
            raise Rejected("this is the last administrator: make somebody else one first")
        case Save() if command.document == state.document and not state.retired and not command.password_changed:
            return []
        case Save():
            return [_saved(command)]
        case Retire():
            if state.document is None or state.retired:
                return []
            return [_retired(command, state.document)]
        case _:
            assert_never(command)


def _saved(command: Save) -> Event:
    match command.document:
        case Queue() as queue:
            return QueueSaved(queue=queue)
        case Person() as person:
            return PersonSaved(person=person, password_changed=command.password_changed)
        case Company() as company:
            return CompanySaved(company=company)
        case Setting() as setting:
            return SAVED[setting.KIND](document=setting)
        case _:
            assert_never(command.document)


def _retired(command: Retire, document: Document) -> Event:
    match document:
        case Queue(slug="postmaster"):
            raise Rejected("the default queue cannot be retired")
        case Queue() if command.queues:
            raise Rejected(f"queues stand below it, or send it their junk: {', '.join(command.queues)}")
        case Queue() if command.topics:
            raise Rejected(f"topics lead to it: {', '.join(command.topics)}")
        case Queue():
            return QueueRetired(queue=document)
        case Person() if command.last_admin:
            raise Rejected("this is the last administrator: make somebody else one first")
        case Person():
            return PersonRetired(person=document)
        case Company():
            return CompanyRetired(company=document)
        case directory.State(slug=slug) if slug in STANDARD:
            raise Rejected("the rules of the desk need this state")
        case directory.State() if command.queues:
            raise Rejected(f"answers from these queues lead to it: {', '.join(command.queues)}")
        case directory.Salutation() | directory.Signature() if command.queues:
            raise Rejected(f"mails of these queues have it: {', '.join(command.queues)}")
        case directory.TicketField() if command.topics:
            raise Rejected(f"topics ask for it: {', '.join(command.topics)}")
        case directory.Priority():
            raise Rejected("the five priorities stay; do not offer it to customers instead")
        case Setting() as setting:
            return RETIRED[setting.KIND](document=setting)
        case _:
            assert_never(document)


def evolve(state: State, event: Event) -> State:
    match event:
        case QueueSaved(queue=document):
            return State(document)
        case PersonSaved(person=document):
            return State(document)
        case CompanySaved(company=document):
            return State(document)
        case SettingSaved(document=document):
            return State(document)
        case QueueRetired() | PersonRetired() | CompanyRetired() | SettingRetired():
            return replace(state, retired=True)
        case _:
            return state
