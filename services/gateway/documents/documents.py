"""Saves and retires configuration documents: the event, the row and the sign-ins that end with it, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args
from uuid import UUID

from uuid_utils.compat import uuid7

from services.gateway.documents import document as rules
from services.gateway.documents import rows
from services.gateway.documents.authority import Guard
from services.gateway.documents.drafts import Draft
from services.gateway.documents.kinds.people import PersonDraft
from services.gateway.documents.names import is_id
from services.gateway.signing_in.sessions import end_of_person
from shared.contracts.directory import DocumentKind, Person, Queue, Salutation, Signature, State, TicketField
from shared.contracts.envelope import Recorded
from shared.database import Connection
from shared.eventstore.errors import PreconditionFailed, UnknownStream
from shared.eventstore.runner import CommandRunner
from shared.eventstore.state_cache import Versioned
from shared.eventstore.store import Context, Store
from shared.eventstore.unit_of_work import UnitOfWork
from shared.http.problems import invalid

ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock($1)"
_LOCK = 0x5E77  # settings change rarely; one writer at a time lets a rule look at other documents without a race
CREDENTIAL = """
INSERT INTO gateway.credentials (person_id, hash) VALUES ($1, $2)
    ON CONFLICT (person_id) DO UPDATE SET hash = excluded.hash, changed_at = now()
"""
FORGET_CREDENTIAL = "DELETE FROM gateway.credentials WHERE person_id = $1"


@dataclass(frozen=True, slots=True)
class Saved:
    """How a document stands after a request; `changed`: there is a new version to wait for."""

    row: rows.Row
    created: bool
    changed: bool


class Documents:
    """Takes whole documents; a reader finds the rules in `document` and in the draft of each kind."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.runners = {kind: CommandRunner(store, kind, rules) for kind in get_args(DocumentKind)}

    async def save(
        self,
        kind: DocumentKind,
        reference: str,
        draft: Draft,
        context: Context,
        *,
        expected: int | None = None,
        password_hash: str | None = None,
        keep_session: UUID | None = None,
        end_tokens: bool = True,
        guard: Guard | None = None,
    ) -> Saved:
        """Puts the draft in the place of the document with this slug or id, or makes a new one with this slug.

        `password_hash` replaces a person's password and ends the sessions begun with the old one, but for `keep_session`, and the person's API
        tokens with `end_tokens`. `guard` may refuse what becomes of a person.
        Raises Problem 422, PreconditionFailed (`expected` is not its version), UnknownStream (an id of nothing), Rejected.
        """
        async with self.runners[kind].transaction() as (connection, unit):
            await connection.execute(ONE_AT_A_TIME, _LOCK)
            current = await rows.find(connection, kind, reference)
            _require_version(current, expected)
            if current is None and is_id(reference):
                raise UnknownStream(UUID(reference))
            if current is None and _name_in(draft) != reference.lower():
                field = "login" if kind == "person" else "slug"
                raise invalid(f"/{field}", "a new document has the name that the address says")
            document_id = current.id if current is not None else uuid7()
            if draft.id is not None and draft.id != document_id:
                raise invalid("/id", "is the id of something else")
            wanted = await draft.document(connection, document_id, current)
            if guard is not None and isinstance(wanted, Person):
                await guard(connection, current, wanted)
            last_admin = kind == "person" and await self._last_admin(connection, current)
            command = rules.Save(wanted, password_changed=password_hash is not None, last_admin=last_admin)
            saved = await _record(connection, unit, kind, current, document_id, command, context)
            if password_hash is not None:
                await connection.execute(CREDENTIAL, document_id, password_hash)
                await end_of_person(connection, document_id, tokens=end_tokens, but=keep_session)
        return saved

    async def retire(
        self, kind: DocumentKind, reference: str, context: Context, *, expected: int | None = None
    ) -> Saved:
        """Takes the document out of use; a person's sign-ins end with it. Raises as `save` does."""
        async with self.runners[kind].transaction() as (connection, unit):
            await connection.execute(ONE_AT_A_TIME, _LOCK)
            current = await rows.find(connection, kind, reference)
            if current is None:
                raise UnknownStream(UUID(reference) if is_id(reference) else UUID(int=0))
            _require_version(current, expected)
            queues = await _needing(connection, current.document)
            topics = await _asking(connection, current.document)
            last_admin = kind == "person" and not current.retired and await self._last_admin(connection, current)
            command = rules.Retire(last_admin=last_admin, queues=tuple(queues), topics=tuple(topics))
            saved = await _record(connection, unit, kind, current, current.id, command, context)
            if kind == "person":
                await end_of_person(connection, current.id, tokens=True)
                await connection.execute(FORGET_CREDENTIAL, current.id)
        return saved

    async def history(self, kind: DocumentKind, reference: str) -> list[Recorded]:
        """Every event of a document. Raises UnknownStream."""
        row = await rows.find(self.store.pool, kind, reference)
        if row is None:
            raise UnknownStream(UUID(int=0))
        return await self.store.load(row.id)

    async def _last_admin(self, connection: Connection, current: rows.Row | None) -> bool:
        if current is None or not isinstance(current.document, Person) or "admin" not in current.document.roles:
            return False
        return not await rows.other_admin(connection, current.id)


async def _record(
    connection: Connection,
    unit: UnitOfWork[rules.Command, rules.State],
    kind: DocumentKind,
    current: rows.Row | None,
    document_id: UUID,
    command: rules.Command,
    context: Context,
) -> Saved:
    """Records what the command leads to, and writes the document's row."""
    if current is not None:
        unit.begin(document_id, Versioned(rules.State(current.document, current.retired), current.version))
    changed = bool(unit.decide(document_id, command, context))
    if changed:
        await unit.record()
        state = unit.state(document_id)
        assert state.document is not None
        await rows.write(connection, state.document, unit.version(document_id), retired=state.retired)
    row = await rows.find(connection, kind, str(document_id))
    assert row is not None
    return Saved(row, created=current is None, changed=changed)


async def _needing(connection: Connection, document: rules.Document) -> Sequence[str]:
    match document:
        case Queue(slug=slug):
            return [*await rows.children(connection, slug), *await rows.naming(connection, "junk_queue", slug)]
        case State(slug=slug):
            return await rows.naming(connection, "next_state_after_reply", slug)
        case Salutation(slug=slug):
            return await rows.naming(connection, "salutation", slug)
        case Signature(slug=slug):
            return await rows.naming(connection, "signature", slug)
        case _:
            return ()


async def _asking(connection: Connection, document: rules.Document) -> Sequence[str]:
    """The topics that lead to a queue or ask for a field."""
    match document:
        case Queue(slug=slug):
            return await rows.topics(connection, {"queue": slug})
        case TicketField(slug=slug):
            return await rows.topics(connection, {"fields": [{"field": slug}]})
        case _:
            return ()


def _require_version(current: rows.Row | None, expected: int | None) -> None:
    if expected is not None and (current is None or current.version != expected):
        raise PreconditionFailed(current.id if current else UUID(int=0), current.version if current else 0)


def _name_in(draft: Draft) -> str:
    name: str = draft.login if isinstance(draft, PersonDraft) else getattr(draft, "slug")  # noqa: B009
    return name
