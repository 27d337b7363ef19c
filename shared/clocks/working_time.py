"""Stand-in until the calendars are merged: every minute is working time."""

from datetime import datetime, timedelta
from typing import Protocol

from shared.contracts.directory import Calendar


class WorkingTime(Protocol):
    def contains(self, at: datetime) -> bool: ...
    def between(self, start: datetime, end: datetime) -> timedelta: ...
    def after(self, start: datetime, worked: timedelta) -> datetime | None: ...


class Always:
    def contains(self, at: datetime) -> bool:
        return True

    def between(self, start: datetime, end: datetime) -> timedelta:
        return max(end - start, timedelta())

    def after(self, start: datetime, worked: timedelta) -> datetime | None:
        return start + max(worked, timedelta())


ALWAYS: WorkingTime = Always()


def working_time(calendar: Calendar | None) -> WorkingTime:
    return ALWAYS
