"""Complete, deterministic values of contract types, with every optional field set, for golden events and round trips."""

import types
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Literal, Union, get_args, get_origin
from uuid import UUID

from pydantic import AwareDatetime, BaseModel
from pydantic.fields import FieldInfo

from shared.contracts.envelope import Actor, Recorded
from shared.contracts.event import Event
from shared.contracts.marks.open_values import Known

MOMENT = datetime(2026, 11, 23, 8, 30, 15, 123456, tzinfo=UTC)


def sample(annotation: Any, name: str = "") -> Any:
    """A value of a type that contracts use: models, tuples, literals, unions, plain values."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is not None and hasattr(annotation, "__metadata__"):
        known = _known(annotation.__metadata__)
        return known if known is not None else sample(arguments[0], name)
    if origin is Literal:
        return arguments[0]
    if origin in (Union, types.UnionType):
        return sample(next(a for a in arguments if a is not type(None)), name)
    if origin is tuple and ... not in arguments:
        return [sample(each, name) for each in arguments]
    if origin in (tuple, list, Sequence):
        return [sample(arguments[0], name)]
    if origin is dict and get_origin(arguments[1]) is tuple:
        return {"mon": sample(arguments[1], name)}
    if origin is dict:
        return {"room": "B 214"}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {field: _of_field(info, field) for field, info in annotation.model_fields.items()}
    plain: dict[Any, Any] = {
        AwareDatetime: MOMENT,
        str: _text(name),
        int: 3,
        float: 1.5,
        bool: True,
        UUID: UUID(int=7),
        datetime: MOMENT,
        date: MOMENT.date(),
    }
    return plain[annotation]


def _of_field(info: FieldInfo, name: str) -> Any:
    known = _known(info.metadata)
    return known if known is not None else sample(info.annotation, name)


def _known(metadata: Iterable[Any]) -> str | None:
    """The first of the known values that a text is marked with."""
    return next((mark.values[0] for mark in metadata if isinstance(mark, Known)), None)


def _text(name: str) -> str:
    return {
        "email": "kari@example.org",
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "message_id": "<1@example.org>",
        "references": "<0@example.org>",
        "number": "2026112310000018",
        "text": "Since this morning it hums.\n\nÆrlig talt. \U0001f5a8",
    }.get(name, name)


def sample_body(cls: type[BaseModel]) -> Any:
    """The JSON of a request body with every field filled."""
    return cls.model_validate(sample(cls)).model_dump(mode="json")


def sample_event(cls: type[Event], version: int = 1, number: int = 1) -> Recorded:
    """A recorded event of this type, with every field of payload and envelope set."""
    return Recorded(
        id=UUID(int=1000 + number),
        type=cls.TYPE,
        source=f"/services/{cls.OWNER}",
        stream=UUID(int=42),
        version=version,
        time=MOMENT,
        recorded_at=MOMENT,
        correlation_id=UUID(int=2000),
        causation_id=UUID(int=999),
        actor=Actor("agent", str(UUID(int=5))),
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        payload=cls.model_validate(sample(cls)),
    )
