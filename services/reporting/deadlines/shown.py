"""Deadlines as the API shows them, at one moment and for one reader."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from services.reporting.deadlines.calendars import Version, of_deadline
from services.reporting.deadlines.words import promise
from shared.clocks.deadlines import Deadline, remaining
from shared.clocks.working_time import WorkingTime
from shared.languages.translator import Translator
from shared.timestamps import timestamp

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class DeadlinePresenter:
    """`at`: the moment for which remaining time is counted. `calendars`: those of `Calendars.of`."""

    at: datetime
    say: Translator = Translator()
    calendars: Mapping[Version, WorkingTime] = field(default_factory=dict)

    def shown(self, deadlines: Iterable[Deadline], state: str) -> list[dict[str, Any]]:
        """`state`: the name of the ticket's state."""
        return [self._shown(each, state) for each in deadlines]

    def _shown(self, deadline: Deadline, state: str) -> dict[str, Any]:
        left = remaining(deadline, self.at, of_deadline(deadline, self.calendars)) / MINUTE
        return {
            "clock": deadline.clock,
            "sla": deadline.sla.slug,
            "due_at": timestamp(deadline.due_at),
            "state": deadline.state,
            "warned": deadline.warned,
            "remaining_minutes": left,
            "ended_at": timestamp(deadline.ended_at),
            "promise": promise(deadline, self.at, left, state, self.say),
        }
