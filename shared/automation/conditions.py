"""Conditions of triggers: `all`, `any`, `not`, and tests of one field (api.md, section 9).

A test has exactly one of `is` (one of these values), `contains` (one of these texts, in any case) and `empty`.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator
from typing_extensions import TypeAliasType

from shared.automation.parts import CustomerOrAddress, FieldName, Number, Part
from shared.contracts.marks.declaration import ReferenceTo
from shared.contracts.parts import Channel, StateType
from shared.input_types import Flag, Line, Reference, Whole

MOST_VALUES = 200
MOST_CONDITIONS = 200
"""In one condition, itself included."""
DEEPEST = 10

ActorKind = Literal["agent", "customer", "rule", "system"]
FieldText = Annotated[Line, Field(max_length=2_000)]
SomeText = Annotated[Line, Field(min_length=1)]
Contained = Annotated[list[SomeText], Field(min_length=1, max_length=MOST_VALUES)]
_Some = Field(min_length=1, max_length=MOST_VALUES)


class AnyTest(Part):
    """A test of one `field`."""

    @model_validator(mode="after")
    def _has_one_test(self) -> Self:
        if len(self.model_fields_set - {"field"}) != 1:
            possible = [info.alias or name for name, info in type(self).model_fields.items() if name != "field"]
            raise ValueError(f"Exactly one of these is needed here: {', '.join(possible)}.")
        return self


class QueueTest(AnyTest):
    """The queue that the ticket is in."""

    field: Literal["queue"]
    is_: Annotated[list[Annotated[Reference, ReferenceTo("queue")]], _Some] = Field(default_factory=list, alias="is")
    contains: Contained = Field(default_factory=list)


class StateTest(AnyTest):
    """The state of the ticket."""

    field: Literal["state"]
    is_: Annotated[list[Annotated[Reference, ReferenceTo("state")]], _Some] = Field(default_factory=list, alias="is")
    contains: Contained = Field(default_factory=list)


class StateTypeTest(AnyTest):
    """The type of the ticket's state."""

    field: Literal["state_type"]
    is_: Annotated[list[StateType], _Some] = Field(default_factory=list, alias="is")


class PriorityTest(AnyTest):
    """The priority of the ticket."""

    field: Literal["priority"]
    is_: Annotated[list[Annotated[Whole, Field(ge=1, le=5)]], _Some] = Field(default_factory=list, alias="is")


class OwnerTest(AnyTest):
    """The owner of the ticket. Empty: it has none."""

    field: Literal["owner"]
    is_: Annotated[list[Annotated[Reference, ReferenceTo("person", keeps_retired=True)]], _Some] = Field(
        default_factory=list, alias="is"
    )
    empty: Flag = True


class CustomerTest(AnyTest):
    """The customer of the ticket. `contains` looks at the mail address."""

    field: Literal["customer"]
    is_: Annotated[list[Annotated[Reference, CustomerOrAddress()]], _Some] = Field(default_factory=list, alias="is")
    contains: Contained = Field(default_factory=list)
    empty: Flag = True


class CompanyTest(AnyTest):
    """The company of the customer. Empty: the customer has none."""

    field: Literal["company"]
    is_: Annotated[list[Annotated[Reference, ReferenceTo("company")]], _Some] = Field(default_factory=list, alias="is")
    contains: Contained = Field(default_factory=list)
    empty: Flag = True


class ChannelTest(AnyTest):
    """How the ticket was opened."""

    field: Literal["channel"]
    is_: Annotated[list[Channel], _Some] = Field(default_factory=list, alias="is")


class TopicTest(AnyTest):
    """The topic of the form that opened the ticket. Empty: no form did."""

    field: Literal["topic"]
    is_: Annotated[list[Annotated[Reference, ReferenceTo("topic")]], _Some] = Field(default_factory=list, alias="is")
    contains: Contained = Field(default_factory=list)
    empty: Flag = True


class TextTest(AnyTest):
    """A tag of the ticket, its title, what was written (`text`), or the mail address of its writer (`from`).

    `text` is what the writer added, without quotes. It and `from` are empty if nothing was written.
    """

    field: Literal["tag", "title", "text", "from"]
    is_: Annotated[list[SomeText], _Some] = Field(default_factory=list, alias="is")
    contains: Contained = Field(default_factory=list)
    empty: Flag = True


def _field_name(value: Any) -> Any:
    if isinstance(value, str) and not value.startswith(FieldName.PREFIX):
        raise ValueError(f"There is no such field. Must be one of {', '.join(TESTS)}, or fields.<slug>.")
    return value


class TicketFieldTest(AnyTest):
    """A field of the ticket: `fields.` and its slug."""

    field: Annotated[
        str,
        FieldName(),
        BeforeValidator(_field_name),
        Field(strict=True, max_length=80, pattern=r"^fields\.[a-z0-9]+(-[a-z0-9]+)*$"),
    ]
    is_: Annotated[list[FieldText | Flag | Number], _Some] = Field(default_factory=list, alias="is")
    contains: Contained = Field(default_factory=list)
    empty: Flag = True


class EscalatedTest(AnyTest):
    """Whether a clock of the ticket is warned or broken, and not over."""

    field: Literal["escalated"]
    is_: Annotated[list[Flag], _Some] = Field(default_factory=list, alias="is")


class ActorTest(AnyTest):
    """Who did it. `rule`: another trigger; `system`: a timer or a clock."""

    field: Literal["actor"]
    is_: Annotated[list[ActorKind], _Some] = Field(default_factory=list, alias="is")


class CalendarTest(AnyTest):
    """Whether it happened in the working time of one of these calendars."""

    field: Literal["within_calendar"]
    is_: Annotated[list[Annotated[Reference, ReferenceTo("calendar")]], _Some] = Field(default_factory=list, alias="is")


class AllOf(Part):
    """Holds if each of these conditions holds."""

    all: list["Condition"]


class AnyOf(Part):
    """Holds if at least one of these conditions holds."""

    any: list["Condition"]


class Not(Part):
    """Holds if the condition does not hold."""

    not_: "Condition" = Field(alias="not")


TESTS: dict[str, type[Part]] = {
    "queue": QueueTest, "state": StateTest, "state_type": StateTypeTest, "priority": PriorityTest, "owner": OwnerTest,
    "customer": CustomerTest, "company": CompanyTest, "channel": ChannelTest, "topic": TopicTest, "tag": TextTest,
    "title": TextTest, "text": TextTest, "from": TextTest, "escalated": EscalatedTest, "actor": ActorTest,
    "within_calendar": CalendarTest
}  # fmt: skip
"""The test of each field. All others are fields of tickets."""
_CONNECTIVES: dict[str, type[Part]] = {"all": AllOf, "any": AnyOf, "not": Not}


def _kind(value: Any) -> str | None:
    """Which of the conditions a value is meant to be, by the name of its class."""
    if isinstance(value, Part):
        return type(value).__name__
    if not isinstance(value, dict):
        return None
    for name, model in _CONNECTIVES.items():
        if name in value:
            return model.__name__
    if "field" not in value:
        return None
    field = value["field"]
    return (TESTS.get(field, TicketFieldTest) if isinstance(field, str) else TicketFieldTest).__name__


Condition = TypeAliasType(
    "Condition",
    Annotated[
        Annotated[AllOf, Tag("AllOf")]
        | Annotated[AnyOf, Tag("AnyOf")]
        | Annotated[Not, Tag("Not")]
        | Annotated[QueueTest, Tag("QueueTest")]
        | Annotated[StateTest, Tag("StateTest")]
        | Annotated[StateTypeTest, Tag("StateTypeTest")]
        | Annotated[PriorityTest, Tag("PriorityTest")]
        | Annotated[OwnerTest, Tag("OwnerTest")]
        | Annotated[CustomerTest, Tag("CustomerTest")]
        | Annotated[CompanyTest, Tag("CompanyTest")]
        | Annotated[ChannelTest, Tag("ChannelTest")]
        | Annotated[TopicTest, Tag("TopicTest")]
        | Annotated[TextTest, Tag("TextTest")]
        | Annotated[EscalatedTest, Tag("EscalatedTest")]
        | Annotated[ActorTest, Tag("ActorTest")]
        | Annotated[CalendarTest, Tag("CalendarTest")]
        | Annotated[TicketFieldTest, Tag("TicketFieldTest")],
        Discriminator(
            _kind,
            custom_error_type="no_condition",
            custom_error_message="This is not a condition: it needs one of `all`, `any`, `not` and `field`.",
        ),
    ],
)
for _each in (AllOf, AnyOf, Not):
    _each.model_rebuild()


def _bounded(value: Any) -> Any:
    """The value, if it is not nested too deeply and has not too many conditions, whatever else it is."""
    layer, depth, count = [value], 0, 0
    while layer:
        depth, count = depth + 1, count + len(layer)
        if depth > DEEPEST:
            raise ValueError(f"Conditions can be nested at most {DEEPEST} levels deep.")
        if count > MOST_CONDITIONS:
            raise ValueError(f"There can be at most {MOST_CONDITIONS} conditions.")
        layer = [below for each in layer for below in _below(each)]
    return value


def _below(value: Any) -> list[Any]:
    if not isinstance(value, dict):
        return []
    found: list[Any] = [value["not"]] if "not" in value else []
    for name in ("all", "any"):
        if isinstance(value.get(name), list):
            found.extend(value[name])
    return found


WholeCondition = Annotated[Condition, BeforeValidator(_bounded)]
"""A condition as a request brings it: at most 10 levels deep, and at most 200 conditions in all."""
