"""A queue as it is sent in: what is valid, and how names in it become ids."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from services.gateway.documents import rows
from services.gateway.documents.drafts import Draft
from services.gateway.documents.kinds.setting_drafts import FOR_FORMS
from services.gateway.documents.names import MailAddress, Reference, Slug, Title
from shared.contracts.directory import FollowUp, Member, Queue, Right, State
from shared.database import Connection
from shared.http.bodies import Body, Flag, Line, Text, Whole
from shared.http.problems import FieldError, invalid_fields

RIGHTS: Sequence[Right] = ("read", "create", "move_into", "note", "work")
DEEPEST = 20


class MemberDraft(Body):
    """What one person may do on the queue."""

    person: Annotated[Reference, Field(description="a person by login, id or e-mail address")]
    rights: Annotated[list[Right], Field(max_length=len(RIGHTS))]


class QueueDraft(Draft):
    """A queue, whole."""

    slug: Slug
    name: Title
    parent: Annotated[Reference | None, Field(description="the queue above it, by slug or id")] = None
    address: Annotated[MailAddress | None, Field(description="the address whose mail goes here")] = None
    display_name: Annotated[Line, Field(max_length=200, description="the sender's name on mails from here")] = ""
    salutation: Annotated[Text, Field(max_length=10_000)] = ""
    signature: Annotated[Text, Field(max_length=10_000)] = ""
    next_state_after_reply: Annotated[
        Slug, Field(description="the state that an answer leads to if its form names none")
    ] = "open"
    lock_timeout_minutes: Annotated[
        float | None,
        Field(strict=True, gt=0, le=525_600, allow_inf_nan=False, description="null: a lock never ends by itself"),
    ] = None
    follow_up: FollowUp = "reopen"
    follow_up_days: Annotated[
        Whole | None,
        Field(ge=0, le=36_525, description="`reopen`: for so many days; later messages become tickets of their own"),
    ] = None
    unverified_reopens: Annotated[
        Flag, Field(description="mail from somebody who is not known to take part may reopen a closed ticket")
    ] = False
    opens_copies: Annotated[
        Flag, Field(description="a mail that went to another queue first opens a ticket here too, linked to the other")
    ] = False
    opens_reports: Annotated[
        Flag, Field(description="delivery reports and absences that belong to no ticket open one")
    ] = False
    junk_queue: Annotated[Reference | None, Field(description="the queue for what a filter calls spam")] = None
    tells_when_closed: Annotated[
        Flag, Field(description="the customer gets a mail when a ticket is closed without an answer")
    ] = True
    members: Annotated[list[MemberDraft], Field(max_length=2000)] = Field(default_factory=list)

    async def document(self, connection: Connection, document_id: UUID, current: rows.Row | None) -> Queue:
        """The document to store. Raises Problem 422 for names of nobody, a foreign address, a loop of parents, another slug."""
        errors: list[FieldError] = []
        was = current.document if current is not None else None
        if isinstance(was, Queue) and was.slug != self.slug:
            errors.append(FieldError("/slug", "a queue keeps its slug, because links and rules name it"))
        if self.address is not None:
            taken = await rows.holder(connection, "address", self.address, document_id)
            if taken:
                errors.append(FieldError("/address", f"the queue {taken} has this address"))
        if self.follow_up_days is not None and self.follow_up != "reopen":
            errors.append(FieldError("/follow_up_days", "belongs to the follow-up reopen"))
        after = await rows.find(connection, "state", self.next_state_after_reply)
        if (
            after is None
            or after.retired
            or not isinstance(after.document, State)
            or after.document.type not in FOR_FORMS
        ):
            errors.append(FieldError("/next_state_after_reply", "names no state that an answer can lead to"))
        parent = await self._parent(connection, document_id, errors)
        junk = await self._junk(connection, errors)
        members = await self._members(connection, was if isinstance(was, Queue) else None, errors)
        if errors:
            raise invalid_fields(errors)
        return Queue(
            id=document_id,
            slug=self.slug,
            name=self.name,
            parent=parent,
            address=self.address,
            display_name=self.display_name,
            salutation=self.salutation,
            signature=self.signature,
            next_state_after_reply=self.next_state_after_reply,
            lock_timeout_minutes=self.lock_timeout_minutes,
            follow_up=self.follow_up,
            follow_up_days=self.follow_up_days,
            unverified_reopens=self.unverified_reopens,
            opens_copies=self.opens_copies,
            opens_reports=self.opens_reports,
            junk_queue=junk,
            tells_when_closed=self.tells_when_closed,
            members=tuple(members),
        )

    async def _junk(self, connection: Connection, errors: list[FieldError]) -> str | None:
        if self.junk_queue is None:
            return None
        found = await rows.find(connection, "queue", self.junk_queue)
        if found is None or found.retired:
            errors.append(FieldError("/junk_queue", "there is no such queue"))
            return None
        return rows.slug_of(found.document)

    async def _parent(self, connection: Connection, document_id: UUID, errors: list[FieldError]) -> str | None:
        if self.parent is None:
            return None
        parent = await rows.find(connection, "queue", self.parent)
        if parent is None or parent.retired:
            errors.append(FieldError("/parent", "there is no such queue"))
            return None
        above: rows.Row | None = parent
        for _ in range(DEEPEST):
            if above is None:
                return rows.slug_of(parent.document)
            if above.id == document_id:
                errors.append(FieldError("/parent", "a queue cannot stand below itself"))
                return None
            assert isinstance(above.document, Queue)
            above = await rows.find(connection, "queue", above.document.parent) if above.document.parent else None
        errors.append(FieldError("/parent", f"queues nest at most {DEEPEST} deep"))
        return None

    async def _members(self, connection: Connection, was: Queue | None, errors: list[FieldError]) -> list[Member]:
        kept = {member.person for member in was.members} if was is not None else set()
        members: dict[UUID, Member] = {}
        for index, draft in enumerate(self.members):
            person = await rows.find(connection, "person", draft.person)
            if person is None or (person.retired and person.id not in kept):
                errors.append(FieldError(f"/members/{index}/person", "there is no such person"))
            elif person.id in members:
                errors.append(FieldError(f"/members/{index}/person", "this person stands in the list twice"))
            else:
                members[person.id] = Member(person=person.id, rights=tuple(r for r in RIGHTS if r in draft.rights))
        return list(members.values())


def shown(queue: Queue) -> dict[str, Any]:
    """A queue as the API shows it."""
    return queue.model_dump(mode="json")
