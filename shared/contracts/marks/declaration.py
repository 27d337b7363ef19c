"""How a configuration document is declared (decision record 0095).

A field has the type in which it is stored; its docstring describes it in events, requests and answers. Without a mark,
the API takes `bool` as true or false only, `int` as a number that fits SQL, `str` as one line. A mark says what else it
takes or shows. Nothing is checked again when a stored document is read: a check that becomes stricter must not make old
documents unreadable.
"""

from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import ConfigDict

from shared.contracts.event import Value
from shared.input_types import Slug, Title

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
    "report-schedule",
    "calendar",
    "sla",
    "trigger",
    "macro",
]


class Input:
    """Marks a value with what the API takes for it: another type, and constraints of `pydantic.Field`.

    The default of a field is that of documents from before the field existed. A new document may have another
    `default`, or `required` says that a request must bring the field.
    """

    def __init__(self, taken: Any = None, *, default: Any = None, required: bool = False, **constraints: Any) -> None:
        self.taken, self.default, self.required, self.constraints = taken, default, required, constraints


class ReadOnly:
    """Marks a field that a request may repeat and cannot change. `instead` is the address that changes it.

    With `until_saved`, the field has its default again once a request has saved the document.
    """

    def __init__(self, instead: str, *, until_saved: bool = False) -> None:
        self.instead, self.until_saved = instead, until_saved


class ReferenceTo:
    """Marks the slug (a text) or id (a UUID) of another document, which a request may name in any way.

    The other document has to be in use. With `keeps_retired`, a retired one that the document names already may stay.
    """

    def __init__(self, kind: DocumentKind, *, keeps_retired: bool = False) -> None:
        self.kind: DocumentKind = kind
        self.keeps_retired = keeps_retired


class MayName:
    """Marks a text that names another document if it is its slug; it is not looked up, and may be something else."""

    def __init__(self, kind: DocumentKind) -> None:
        self.kind: DocumentKind = kind


class PersonOrAddress:
    """Marks a text that is the id of a person or a mail address. A request names the person in any way but by address.

    The person has to be in use, unless the document named them before.
    """


class Shown:
    """Marks a field that the API shows as another type than it is stored."""

    def __init__(self, shown: Any) -> None:
        self.shown = shown


class DocumentPart(Value):
    """A part of a document."""

    model_config = ConfigDict(use_attribute_docstrings=True)


class Document(DocumentPart):
    """A document: its stream is its id, its version the stream's."""

    KIND: ClassVar[DocumentKind]
    URL_FIELD: ClassVar[str] = "slug"
    """The field that names the document in URLs."""

    id: UUID

    @property
    def url_name(self) -> str:
        name: str = getattr(self, self.URL_FIELD)
        return name


class Named(Document):
    """A document that a slug names for ever, because tickets and other documents refer to it; `name` may change."""

    slug: Annotated[str, Input(Slug)]
    name: Annotated[str, Input(Title)]
