"""Answers of the routes of report schedules."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from services.gateway.report_runs import RunState
from shared.contracts.marks.open_values import Known
from shared.http import story
from shared.http.bodies import Body, example


class RecipientLeftOut(Body):
    """A recipient of the schedule who does not get this mail."""

    model_config = example({"recipient": "Ola Former", "reason": "This person is not in use any more."})

    recipient: str
    reason: str


class MailOfRun(Body):
    """What became of the mail. `withheld`: everybody whom it was for has left."""

    model_config = example({"state": "sent", "reason": ""})

    state: Annotated[str, Known(Literal["waiting", "sent", "failed", "withheld"])]
    reason: str = Field(description="The server's words, or who does not get it.")


class RunShown(Body):
    """One time that a report was or is to be sent.

    `waiting`: it is being made, or is tried again. `mailed`: the mail was given to the outgoing mail. `skipped` and
    `failed`: no mail; `reason` says why.
    """

    model_config = example(
        {
            "id": story.EVENT,
            "due_at": "2026-11-01T06:00:00.000Z",
            "asked_by": None,
            "from": "2026-09-30T22:00:00.000Z",
            "to": "2026-10-31T23:00:00.000Z",
            "timezone": "Europe/Oslo",
            "state": "mailed",
            "reason": "",
            "mail": {"state": "sent", "reason": ""},
            "recipients": ["board@help.example.org"],
            "left_out": [],
            "attempts": 1,
            "next_attempt_at": None,
            "finished_at": "2026-11-01T06:00:01.912Z",
        }
    )

    id: UUID
    due_at: datetime
    asked_by: UUID | None = Field(description="Who asked for it; null if it was due.")
    from_: datetime = Field(alias="from", description="The begin of what it covers.")
    to: datetime = Field(description="The end of what it covers, exclusive.")
    timezone: str
    state: Annotated[str, Known(RunState)]
    reason: str = Field(description="Why it waits, was skipped, or failed.")
    mail: MailOfRun | None = Field(description="Null while it is not known: before `mailed`, or as notify is away.")
    recipients: list[str] = Field(description="The addresses that the mail went to.")
    left_out: list[RecipientLeftOut]
    attempts: int
    next_attempt_at: datetime | None
    finished_at: datetime | None


class RunPage(Body):
    items: list[RunShown]
    next_cursor: str | None
