"""What the gateway adds to the declaration of a kind of document."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from services.gateway.documents.draft import Draft
from shared.contracts.declaration import Document
from shared.database import Connection
from shared.http.bodies import Body
from shared.http.problems import FieldError
from shared.rules.access import Identity

D = TypeVar("D", bound=Document)
Shown = dict[str, Any]


async def _no_rules(_wanted: Any, _was: Any, _connection: Connection) -> list[FieldError]:
    return []


def _all_of_it(_who: Identity, _document: Any, whole: Shown) -> Shown:
    return whole


@dataclass(frozen=True, slots=True)
class Kind(Generic[D]):
    """One kind.

    `visible` says who sees a document, `view` what of it. `check` finds what is wrong with the wanted document beyond
    single fields; it gets the document as it was, if there was one.
    """

    model: type[D]
    path: str
    one: str
    many: str
    draft: type[Draft]
    shown: type[Body]
    visible: Callable[[Identity, D], bool]
    check: Callable[[D, D | None, Connection], Awaitable[list[FieldError]]] = _no_rules
    view: Callable[[Identity, D, Shown], Shown] = _all_of_it


def everybody(_who: Identity, _document: Any) -> bool:
    return True


def agents(who: Identity, _document: Any) -> bool:
    return who.is_agent


def administrators(who: Identity, _document: Any) -> bool:
    return who.is_admin
