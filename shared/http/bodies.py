"""Types of request bodies: strict models, and texts without control characters."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool


class Body(BaseModel):
    """The base of a request body: unknown fields are refused, values are frozen, errors never quote the input."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def one_line(text: str) -> str:
    """Returns the text if it is one line.

    Raises ValueError for control characters, line separators, lone surrogates.
    """
    if not text.isprintable() and any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in "\u2028\u2029" for c in text):
        raise ValueError("This must be one line without control characters.")
    return _encodable(text)


def any_text(text: str) -> str:
    """Returns the text if PostgreSQL and JSON can hold it. Raises ValueError for NUL and lone surrogates."""
    if "\x00" in text:
        raise ValueError("NUL characters are not allowed.")
    return _encodable(text)


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("Lone surrogates are not allowed.") from None
    return text


Line = Annotated[str, AfterValidator(one_line), Field(max_length=500)]
"""One line: subjects, names, titles. For another length: `Annotated[Line, Field(max_length=80)]`."""
Text = Annotated[str, AfterValidator(any_text), Field(max_length=1_000_000)]
"""Any number of lines: bodies, salutations."""
Flag = StrictBool
"""true or false, not "yes" or 1."""
Whole = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
"""A whole number that fits an SQL integer; no text, no fraction. Narrow it with `Annotated[Whole, Field(ge=1)]`."""
