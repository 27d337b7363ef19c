"""Commands that name the draft they came from, `"draft": "<key>"`: it is removed when the command succeeds, only then.

Services know nothing of drafts: the gateway takes the name out of the body. If the gateway dies in between, the draft
stays. A draft that was changed while its command was under way stays too, because its new words were not sent; so does
a newer draft with the same key when a command is repeated.
"""

import json
import logging
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from services.gateway.drafts.drafts import Drafts
from services.gateway.drafts.keys import LONGEST, is_key
from shared.database import TRANSIENT
from shared.http import problems
from shared.http.headers.idempotency import command_id
from shared.http.json_input import read_json

log = logging.getLogger(__name__)

MARK = b'"draft"'


def taken_out(content: bytes) -> tuple[bytes, str | None]:
    """The body of a command without the name of its draft, and that name. A body without one stays as it is.

    Raises Problem 422 for a name that no draft can have.
    """
    if MARK not in content:
        return content, None
    try:
        body = read_json(content)
    except json.JSONDecodeError:
        return content, None  # the service says what is wrong
    if not isinstance(body, dict) or "draft" not in body:
        return content, None
    key = taken_from(body)
    return orjson.dumps(body), key


def taken_from(body: dict[str, Any]) -> str | None:
    """The name of the draft, which is taken out of the body. Raises Problem 422."""
    key = body.pop("draft", None)
    if key is not None and not (isinstance(key, str) and is_key(key)):
        raise problems.invalid("/draft", f"This must be the key of a draft: one line of 1 to {LONGEST} characters.")
    return key


@dataclass(frozen=True, slots=True)
class Sending:
    """A command under way that came from a draft. `again`: the same request has tried to send this version before."""

    drafts: Drafts
    person: UUID
    key: str
    attempt: UUID
    again: bool

    async def answered(self, status: int, content: bytes, *, replayed: bool) -> None:
        """Removes the draft if the command succeeded. A failure only leaves the draft."""
        try:
            if 200 <= status < 300 and (self.again or not replayed) and _all_done(content):
                await self.drafts.sent(self.person, self.key, self.attempt)
            elif not self.again:
                await self.drafts.not_sent(self.person, self.key, self.attempt)
        except TRANSIENT as error:
            log.warning("a draft stays although its command succeeded: %s", type(error).__name__)


async def begin(
    drafts: Drafts, person: UUID, key: str, method: str, path: str, idempotency_key: str | None
) -> Sending | None:
    """Begins to send a draft; None if there is no such draft."""
    attempt = command_id(person, method, path, idempotency_key).id
    again = await drafts.begin_sending(person, key, attempt)
    return Sending(drafts, person, key, attempt, again) if again is not None else None


def _all_done(content: bytes) -> bool:
    """Whether a command succeeded on each of its tickets, if it was for many."""
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        return True
    items = answer.get("items") if isinstance(answer, dict) else None
    return not isinstance(items, list) or all(each.get("status", 200) < 300 for each in items if isinstance(each, dict))
