"""Saves and retires configuration documents: the event, the row and the sign-ins that end with it, in one
transaction."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar
from uuid import UUID

from uuid_utils.compat import uuid7

from services.gateway import account_mails, document_rows, report_runs, reset_links
from services.gateway.account_mails import Told
from services.gateway.documents import document as rules
from services.gateway.documents.authority import Guard
from services.gateway.documents.draft import Draft
from services.gateway.documents.kind import Kind
from services.gateway.documents.references.naming import named_by
from services.gateway.documents.references.resolving import document_from, without_repeats
from services.gateway.signing_in.sessions import end_of_person
from shared.contracts.directory import (
    DOCUMENTS,
    Person,
    ReportSchedule,
)
from shared.contracts.marks.declaration import Document, DocumentKind
from shared.database import Connection
from shared.eventstore.errors import PreconditionFailed, UnknownStream
from shared.eventstore.runner import CommandRunner
from shared.eventstore.state_cache import StateCache, Versioned, fold
from shared.eventstore.store import Context, Store
from shared.eventstore.unit_of_work import UnitOfWork
from shared.http.problems import invalid, invalid_fields
from shared.input_types import is_id

ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock($1)"
_LOCK = 0x5E77  # documents change rarely; one writer at a time lets a rule look at other documents without a race
CREDENTIAL = """
INSERT INTO gateway.credentials (person_id, hash, must_change) VALUES ($1, $2, $3)
    ON CONFLICT (person_id) DO UPDATE
   SET hash = excluded.hash, must_change = excluded.must_change, changed_at = now()
"""
MUST_CHANGE = "UPDATE gateway.credentials SET must_change = $2 WHERE person_id = $1 AND must_change <> $2"
FORGET_CREDENTIAL = "DELETE FROM gateway.credentials WHERE person_id = $1"
FORGET_DRAFTS = "DELETE FROM gateway.drafts WHERE person_id = $1"

D = TypeVar("D", bound=Document)
Unit: TypeAlias = UnitOfWork[rules.Command, rules.DocumentState]


@dataclass(frozen=True, slots=True)
class Saved:
    """Result of saving or retiring a document."""

    row: document_rows.Row
    created: bool


@dataclass(frozen=True, slots=True)
class NewPassword:
    """Replaces a person's password.

    Their sessions end except `keep_session`, with `end_tokens` their API tokens, and every link to a new password.
    `must_change`: they have to change it before anything else. `told`: the mail that tells them, if one does.
    """

    hash: str
    keep_session: UUID | None = None
    end_tokens: bool = True
    must_change: bool = False
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class SamePassword:
    """A person is saved with the password that they have already: only `must_change` may be new."""

    must_change: bool


class Documents:
    """The documents and their rules: those of one document are in `document`, those of a kind in `kinds`."""

    def __init__(self, store: Store) -> None:
        self.store = store
        states = StateCache(store, rules)  # one for all kinds: a document's id belongs to one kind
        self.runners = {model.KIND: CommandRunner(store, model.KIND, rules, states=states) for model in DOCUMENTS}

    async def save(
        self,
        kind: Kind[D],
        reference: str,
        draft: Draft,
        context: Context,
        *,
        expected: int | None = None,
        password: NewPassword | SamePassword | None = None,
        guard: Guard | None = None,
    ) -> Saved:
        """Saves the draft as the document with this slug or id, or as a new one with this slug.

        `guard` may refuse the change of a person. Raises Problem 422, PreconditionFailed (`expected` is not the newest
        version), UnknownStream (there is no document with this id), Rejected.
        """
        name = kind.model.KIND
        async with self.runners[name].transaction() as (connection, unit):
            await connection.execute(ONE_AT_A_TIME, _LOCK)
            current = await document_rows.find(connection, name, reference)
            _require_version(current, expected)
            if current is None and is_id(reference):
                raise UnknownStream(UUID(reference))
            document_id = current.id if current is not None else uuid7()
            if draft.id is not None and draft.id != document_id:
                raise invalid("/id", "This is the id of another document.")
            was = current.document if current is not None and isinstance(current.document, kind.model) else None
            wanted, errors = await document_from(draft, kind.model, document_id, was, connection)
            if current is None and wanted.url_name != reference.lower():
                raise invalid(f"/{kind.model.URL_FIELD}", "A new document must have the name in the address.")
            errors += await kind.check(wanted, was, connection)
            if errors:
                raise invalid_fields(errors)
            wanted = without_repeats(wanted)
            if guard is not None and isinstance(wanted, Person):
                in_use = was if isinstance(was, Person) and current is not None and not current.retired else None
                await guard(connection, in_use, wanted)
            return await _save(connection, unit, current, wanted, password, context)

    async def at(self, row: document_rows.Row, version: int) -> document_rows.Row | None:
        """A document as it was with an earlier version; None if there is no such version."""
        events = [event for event in await self.store.load(row.id) if event.version <= version]
        if not events or events[-1].version != version:
            return None
        state = fold(rules, Versioned(rules.initial(), 0), (event.payload for event in events)).state
        if state.document is None:
            return None
        return replace(row, document=state.document, version=version, retired=state.retired, updated_at=events[-1].time)

    async def change_person(
        self,
        person: UUID,
        change: Callable[[Person], Person],
        context: Context,
        *,
        password: NewPassword | None = None,
        also: Callable[[Connection], Awaitable[None]] | None = None,
    ) -> Saved:
        """Changes what a person may change of their own document.

        `also` is done before it in the same transaction, and may refuse the change. Raises UnknownStream.
        """
        async with self.runners["person"].transaction() as (connection, unit):
            await connection.execute(ONE_AT_A_TIME, _LOCK)
            if also is not None:
                await also(connection)
            current = await document_rows.find(connection, "person", str(person))
            if current is None or not isinstance(current.document, Person):
                raise UnknownStream(person)
            return await _save(connection, unit, current, change(current.document), password, context)

    async def retire(
        self, kind: DocumentKind, reference: str, context: Context, *, expected: int | None = None
    ) -> Saved:
        """Takes the document out of use. A person's sign-ins end, and their drafts are deleted.

        Raises PreconditionFailed, UnknownStream, Rejected.
        """
        async with self.runners[kind].transaction() as (connection, unit):
            await connection.execute(ONE_AT_A_TIME, _LOCK)
            current = await document_rows.find(connection, kind, reference)
            if current is None:
                raise UnknownStream(UUID(reference) if is_id(reference) else UUID(int=0))
            _require_version(current, expected)
            command = rules.Retire(
                last_admin=not current.retired and await _is_last_admin(connection, current),
                named_by=await named_by(connection, current.document),
            )
            saved = await _record(connection, unit, current, current.id, command, context)
            if kind == "report-schedule":
                await report_runs.remove_timer(connection, current.id)
            if kind == "person":
                await connection.execute(FORGET_CREDENTIAL, current.id)  # no sign-in with it ends later than this
                await end_of_person(connection, current.id, tokens=True)
                await connection.execute(FORGET_DRAFTS, current.id)
                await reset_links.end_of_person(connection, current.id)
        return saved


async def _save(
    connection: Connection,
    unit: Unit,
    current: document_rows.Row | None,
    wanted: Document,
    password: NewPassword | SamePassword | None,
    context: Context,
) -> Saved:
    last_admin = await _is_last_admin(connection, current)
    command = rules.Save(wanted, password_changed=isinstance(password, NewPassword), last_admin=last_admin)
    saved = await _record(connection, unit, current, wanted.id, command, context)
    match password:
        case NewPassword():
            await connection.execute(CREDENTIAL, wanted.id, password.hash, password.must_change)
            await end_of_person(connection, wanted.id, tokens=password.end_tokens, but=password.keep_session)
            if password.told is not None:
                await account_mails.queue(connection, wanted.id, password.told)
        case SamePassword(must_change=must_change):
            await connection.execute(MUST_CHANGE, wanted.id, must_change)
        case None:
            pass
    if isinstance(password, NewPassword) or _address_changed(current, wanted):
        await reset_links.end_of_person(connection, wanted.id)
    if isinstance(wanted, ReportSchedule):
        was = current.document if current is not None and isinstance(current.document, ReportSchedule) else None
        await report_runs.set_timer(connection, wanted, was, UUID(context.actor.id))
    return saved


async def _record(
    connection: Connection,
    unit: Unit,
    current: document_rows.Row | None,
    document_id: UUID,
    command: rules.Command,
    context: Context,
) -> Saved:
    """Records what the command leads to, and writes the document's row."""
    if current is not None:
        known = rules.DocumentState(current.document, current.retired, current.version)
        unit.begin(document_id, Versioned(known, current.version))
    if unit.decide(document_id, command, context):
        await unit.record()
        state = unit.state(document_id)
        assert state.document is not None
        await document_rows.write(connection, state.document, unit.version(document_id), retired=state.retired)
    document = unit.state(document_id).document
    assert document is not None
    row = await document_rows.find(connection, document.KIND, str(document_id))
    assert row is not None
    return Saved(row, created=current is None)


def _address_changed(current: document_rows.Row | None, wanted: Document) -> bool:
    was = current.document if current is not None else None
    return isinstance(was, Person) and isinstance(wanted, Person) and was.email != wanted.email


async def _is_last_admin(connection: Connection, current: document_rows.Row | None) -> bool:
    if current is None or not isinstance(current.document, Person) or "admin" not in current.document.roles:
        return False
    return not await document_rows.other_admin(connection, current.id)


def _require_version(current: document_rows.Row | None, expected: int | None) -> None:
    if expected is not None and (current is None or current.version != expected):
        raise PreconditionFailed(current.id if current else UUID(int=0), current.version if current else 0)
