"""What conditions and actions have in common: the base of their types, and marks on the names in them.

The API takes them, and documents hold them, in the same shape. In documents the names of others are replaced: people by
their ids, others by their slugs.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.input_types import Whole

Number = Whole | Annotated[float, Field(ge=-(2**53), le=2**53)]
"""A number that comes back from documents as it was sent. PostgreSQL writes 1e300 with all its digits, and nobody takes
that as JSON."""


class Part(BaseModel):
    """Unknown keys are refused; errors never repeat what was sent."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        serialize_by_alias=True,
        use_attribute_docstrings=True,
    )


class OrWord:
    """Marks a name that may be one of these words instead."""

    def __init__(self, *words: str) -> None:
        self.words = frozenset(words)


class CustomerOrAddress:
    """Marks the id of a person or customer, or a mail address. A request names a person also by login.

    If a person has the address, their id is stored.
    """


class FieldName:
    """Marks a text that is `fields.` and the slug of a field."""

    PREFIX = "fields."


class FieldValues:
    """Marks a mapping from slugs of fields to values."""
