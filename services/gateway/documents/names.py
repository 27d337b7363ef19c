"""How things are named: slugs, logins, e-mail addresses."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from shared.addresses import canonical
from shared.http.bodies import Line


def is_id(text: str) -> bool:
    """Whether a reference is an id, and no name."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _not_an_id(text: str) -> str:
    if is_id(text):
        raise ValueError("must not look like an id")
    return text


def _mail_address(text: str) -> str:
    """An address in its canonical form; whether it exists is not asked."""
    known = canonical(text)
    if known is None:
        raise ValueError("is not an e-mail address")
    return known


Slug = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=64, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$"),
    AfterValidator(_not_an_id),
]
"""A short name for URLs: lower-case letters, digits and hyphens."""
Login = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=64, pattern=r"^[a-z0-9]([a-z0-9._-]*[a-z0-9])?$"),
    AfterValidator(_not_an_id),
]
"""What a person signs in with: lower-case letters, digits, dot, hyphen, underscore."""
MailAddress = Annotated[
    str, Field(strict=True, max_length=254, json_schema_extra={"format": "email"}), AfterValidator(_mail_address)
]
Title = Annotated[Line, Field(min_length=1, max_length=200)]
Reference = Annotated[Line, Field(min_length=1, max_length=254)]
"""Names another document: by id, slug or login, a person also by e-mail address."""
