"""The answers with reports. They describe; the routes answer plain values."""

from datetime import datetime
from typing import Any

from pydantic import Field

from services.reporting.reports.catalogue import ValueKind
from shared.http import story
from shared.http.bodies import Body, example

CREATED = {
    "name": "created",
    "label": "Created",
    "kind": "number",
    "unit": "events",
    "meaning": "Tickets that were opened.",
}
QUEUE = {"name": "queue", "label": "Queue", "kind": "text", "unit": "", "meaning": "The queue, by its slug."}
BY = {"name": "by", "values": ["queue", "field.<slug>"], "meaning": "Divides the rows."}


class ColumnShown(Body):
    model_config = example(CREATED)

    name: str
    label: str
    kind: ValueKind
    unit: str = Field(description="What numbers count or measure; empty for texts and dates.")
    meaning: str


class ParameterShown(Body):
    """`values`: what it can be, where that is a closed list; `field.<slug>` stands for any field."""

    model_config = example(BY)

    name: str
    values: list[str] | None
    meaning: str


class ReportShown(Body):
    """A report: its parameters, and the columns after `interval` and the `by` value."""

    model_config = example(
        {"name": "volume", "label": "Volume", "meaning": "How much came in.", "parameters": [BY], "columns": [CREATED]}
    )

    name: str
    label: str
    meaning: str
    parameters: list[ParameterShown]
    columns: list[ColumnShown]


class Reports(Body):
    items: list[ReportShown]


class ReportAnswer(Body):
    """A report. Each row has a value for each column, in their order.

    `undone`: how many decisions of this time were undone since. Neither they nor their undoing count anywhere.
    """

    model_config = example(
        {
            "report": "volume",
            "from": "2026-11-01T00:00:00.000Z",
            "to": "2026-12-01T00:00:00.000Z",
            "as_of": story.OPENED_AT,
            "undone": 1,
            "columns": [QUEUE, CREATED],
            "rows": [["it-support", 12]],
        }
    )

    report: str
    from_: datetime = Field(alias="from")
    to: datetime
    as_of: datetime = Field(description="The moment for which open and running things were counted.")
    undone: int
    columns: list[ColumnShown]
    rows: list[list[Any]]
