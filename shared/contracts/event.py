"""The base class of event payloads, and the registry of types.

A published type never changes. A new optional field with a default keeps the version; any other change is a new version
with a pure upcaster (`upcasts`).
"""

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, ConfigDict

Data = dict[str, Any]


class Value(BaseModel):
    """A frozen part of an event or document. Fields of newer versions are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Value):
    """What happened, in the past tense. Subclasses are registered with `event`."""

    TYPE: ClassVar[str]
    OWNER: ClassVar[str]
    TOPIC: ClassVar[str]


class Unknown(Event):
    """An event of a type that this version does not know: it changes nothing and is shown as it came."""

    TYPE: ClassVar[str] = ""
    OWNER: ClassVar[str] = ""
    TOPIC: ClassVar[str] = ""
    data: dict[str, Any]


E = TypeVar("E", bound=type[Event])
Upcaster = Callable[[Data], Data]

REGISTRY: dict[str, type[Event]] = {}
UPCASTERS: dict[str, tuple[str, Upcaster]] = {}


def event(type_name: str, *, owner: str, topic: str) -> Callable[[E], E]:
    """Registers a payload class with its full type name, its topic, and the only service that may write it."""

    def register(cls: E) -> E:
        if type_name in REGISTRY:
            raise ValueError(f"event type {type_name} is registered twice")
        cls.TYPE, cls.OWNER, cls.TOPIC = type_name, owner, topic
        REGISTRY[type_name] = cls
        return cls

    return register


def upcasts(old: str, new: str) -> Callable[[Upcaster], Upcaster]:
    """Registers the pure function that converts data of a retired type version to the next one."""

    def register(function: Upcaster) -> Upcaster:
        if old in UPCASTERS:
            raise ValueError(f"event type {old} has two upcasters")
        UPCASTERS[old] = (new, function)
        return function

    return register


def registered(type_name: str) -> type[Event] | None:
    """The class of a type, or of the newest version of a retired type; None for an unknown type."""
    while type_name in UPCASTERS:
        type_name = UPCASTERS[type_name][0]
    return REGISTRY.get(type_name)


def parse(type_name: str, data: Data) -> Event:
    """The payload of a stored event in its newest version. Raises ValueError if the data is not valid."""
    while type_name in UPCASTERS:
        type_name, upcast = UPCASTERS[type_name]
        data = upcast(data)
    cls = REGISTRY.get(type_name)
    # Calls the validator itself: `model_validate` adds a tenth to the time of decoding an event.
    return Unknown(data=data) if cls is None else cast("Event", cls.__pydantic_validator__.validate_python(data))


def data_of(payload: Event) -> bytes:
    """A payload as the JSON that is recorded.

    Values equal to their default are left out: defaults never change either.
    """
    return payload.model_dump_json(exclude_defaults=True).encode()
