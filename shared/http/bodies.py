"""Request bodies: strict models, and texts that cannot smuggle control characters."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool


class Body(BaseModel):
    """The base of a request body: unknown fields are refused, values frozen, errors never repeat what was sent."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def one_line(text: str) -> str:
    """The text, if it is one line: no control characters (CR, LF, NUL ...), no line separators, no lone surrogates."""
    if not text.isprintable() and any(ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 or c in "\u2028\u2029" for c in text):
        raise ValueError("must be one line without control characters")
    return _encodable(text)


def any_text(text: str) -> str:
    """The text, if PostgreSQL and JSON can hold it: no NUL, no lone surrogates."""
    if "\x00" in text:
        raise ValueError("must not contain NUL characters")
    return _encodable(text)


def _encodable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must not contain lone surrogates") from None
    return text


Line = Annotated[str, AfterValidator(one_line), Field(max_length=500)]
"""One line: subjects, names, titles. For another length: `Annotated[Line, Field(max_length=80)]`."""
Text = Annotated[str, AfterValidator(any_text), Field(max_length=1_000_000)]
"""Any number of lines: bodies, salutations."""
Flag = StrictBool
"""true or false, not "yes" or 1."""
Whole = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
"""A whole number that fits an SQL integer; no text, no fraction. Narrow it with `Annotated[Whole, Field(ge=1)]`."""
