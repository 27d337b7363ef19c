"""The base of every event payload and the registry of types.

A type name is eternal: an optional field with a default keeps the version, anything else is a new version and one pure
upcaster (`upcasts`), see architecture, section 2.
"""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, ConfigDict

Data = dict[str, Any]


class Value(BaseModel):
    """A frozen part of an event or document; fields of tomorrow are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Value):
    """What happened, in the past tense. Subclasses are registered with `event`."""

    TYPE: ClassVar[str]
    OWNER: ClassVar[str]
    TOPIC: ClassVar[str]


class Unknown(Event):
    """An event of tomorrow: its type is not registered here, so that it changes nothing and is shown as it came."""

    TYPE: ClassVar[str] = ""
    OWNER: ClassVar[str] = ""
    TOPIC: ClassVar[str] = ""
    data: dict[str, Any]


E = TypeVar("E", bound=type[Event])
Upcaster = Callable[[Data], Data]

REGISTRY: dict[str, type[Event]] = {}
UPCASTERS: dict[str, tuple[str, Upcaster]] = {}


def event(type_name: str, *, owner: str, topic: str) -> Callable[[E], E]:
    """Registers a payload class under its full type name, the service that alone may write it and its topic."""

    def register(cls: E) -> E:
        if type_name in REGISTRY:
            raise ValueError(f"event type {type_name} is registered twice")
        cls.TYPE, cls.OWNER, cls.TOPIC = type_name, owner, topic
        REGISTRY[type_name] = cls
        return cls

    return register


def upcasts(old: str, new: str) -> Callable[[Upcaster], Upcaster]:
    """Registers the pure function that turns the data of a retired type version into that of the next one."""

    def register(function: Upcaster) -> Upcaster:
        if old in UPCASTERS:
            raise ValueError(f"event type {old} has two upcasters")
        UPCASTERS[old] = (new, function)
        return function

    return register


def registered(type_name: str) -> type[Event] | None:
    """The class that events of a type, or of a retired version of it, are read as; None for a type of tomorrow."""
    while type_name in UPCASTERS:
        type_name = UPCASTERS[type_name][0]
    return REGISTRY.get(type_name)


def parse(type_name: str, data: Data) -> Event:
    """The payload of a stored event, brought to its newest version. Raises ValueError when the data does not fit."""
    while type_name in UPCASTERS:
        type_name, upcast = UPCASTERS[type_name]
        data = upcast(data)
    cls = REGISTRY.get(type_name)
    # The validator itself: `model_validate` around it takes a tenth of a decoded event.
    return Unknown(data=data) if cls is None else cast("Event", cls.__pydantic_validator__.validate_python(data))


def data_of(payload: Event) -> bytes:
    """A payload as the JSON that is recorded. What equals its default is left out: a default is as eternal as the field."""
    return payload.model_dump_json(exclude_defaults=True).encode()
