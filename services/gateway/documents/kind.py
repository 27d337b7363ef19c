"""What the gateway adds to the declaration of a kind of document."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from services.gateway.documents.derivation import draft_model, shown_model
from services.gateway.documents.draft import Draft
from shared.contracts.marks.declaration import Document
from shared.database import Connection
from shared.http.bodies import Body
from shared.http.problems import FieldError
from shared.rules.access import Identity

D = TypeVar("D", bound=Document)
Shown = dict[str, Any]
_ABBREVIATIONS = {"sla": "SLA", "slas": "SLAs"}
Check = Callable[[D, D | None, Connection], Awaitable[list[FieldError]]]
View = Callable[[Identity, D, Shown], Shown]


async def _no_rules(_wanted: Any, _was: Any, _connection: Connection) -> list[FieldError]:
    return []


def _all_of_it(_who: Identity, _document: Any, whole: Shown) -> Shown:
    return whole


@dataclass(frozen=True, slots=True)
class Kind(Generic[D]):
    """One kind. `visible` says who sees a document, and `view` what of it.

    With `by_queue`, agents see only the documents of their queues, and those that name no queue.

    `check` finds what is wrong with the wanted document beyond single fields. It also gets the document as it was, if
    there was one.
    """

    model: type[D]
    path: str
    draft: type[Draft]
    shown: type[Body]
    visible: Callable[[Identity, D], bool]
    check: Check[D]
    view: View[D]
    by_queue: bool = False

    @property
    def one(self) -> str:
        """The name of one such document in names of operations."""
        return _words(self.model.KIND)

    @property
    def many(self) -> str:
        return _words(self.path)


def spoken(name: str) -> str:
    """The name of a kind, or of its path, in a sentence."""
    return _ABBREVIATIONS.get(name, name.replace("-", " "))


def one_spoken(name: str) -> str:
    """The name of a kind with its article."""
    said = spoken(name)
    return f"an {said}" if said in _ABBREVIATIONS.values() else f"a {said}"


def _words(name: str) -> str:
    """A name with hyphens as one in names of operations and models."""
    return "".join(map(str.capitalize, name.split("-")))


def kind(
    model: type[D],
    path: str,
    visible: Callable[[Identity, D], bool],
    *,
    check: Check[D] = _no_rules,
    view: View[D] = _all_of_it,
    draft: type[Draft] | None = None,
    shown: type[Body] | None = None,
    example: Mapping[str, Any] | None = None,
    by_queue: bool = False,
) -> Kind[D]:
    """A kind with the draft and the answer that follow from its declaration, unless others are given.

    `example`: values for the example of the answer (`derivation.shown_model`).
    """
    name = _words(model.KIND)
    draft = draft or draft_model(model, f"{name}Draft")
    shown = shown or shown_model(model, f"{name}Shown", example=example)
    return Kind(model, path, draft, shown, visible, check, view, by_queue)


def everybody(_who: Identity, _document: Any) -> bool:
    return True


def agents(who: Identity, _document: Any) -> bool:
    return who.is_agent


def administrators(who: Identity, _document: Any) -> bool:
    return who.is_admin
