"""A ticket's fields, as documents define them (requirements A7.25, A7.27, A21.09)."""

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

from shared.contracts.directory import Queue, TicketField
from shared.directory.copy import Configuration
from shared.rules.refusals import Invalid, InvalidArgument


def checked(values: Mapping[str, Any], documents: Mapping[str, TicketField]) -> dict[str, Any]:
    """The values, if each fits its field. A field without a document takes any value. Raises Invalid."""
    errors = [
        InvalidArgument(("fields", name), wrong)
        for name, value in values.items()
        if value is not None and (wrong := _wrong(value, documents.get(name)))
    ]
    if errors:
        raise Invalid(*errors)
    return dict(values)


def _wrong(value: Any, document: TicketField | None) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return "Must be a finite number."
    if document is None:
        return ""
    match document.kind:
        case "text":
            return "" if isinstance(value, str) else "Must be a text."
        case "number":
            return "" if isinstance(value, int | float) and not isinstance(value, bool) else "Must be a number."
        case "flag":
            return "" if isinstance(value, bool) else "Must be true or false."
        case "choice":
            return "" if value in document.choices else f"Must be one of {', '.join(document.choices)}."
        case "date":
            return "" if isinstance(value, str) and _is_date(value) else "Must be a date such as 2026-11-23."
        case _:
            return "Fields of this kind are not supported yet."


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10


def required(queue: Queue | None, topic: str, configuration: Configuration) -> tuple[str, ...]:
    """The fields that a ticket must have before it is closed, by its queue and its topic (empty: none)."""
    asked = configuration.topics.get(topic)
    by_topic = {each.field for each in asked.fields if each.required} if asked is not None else set[str]()
    by_queue = {name for name, document in configuration.fields.items() if queue and queue.slug in document.required_in}
    return tuple(sorted(by_topic | by_queue))
