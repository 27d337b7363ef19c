"""Asks reporting for a report as a file, with the rights of a person."""

import asyncio
import re
from collections.abc import Mapping
from urllib.parse import quote, urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

import aiohttp
import orjson

from services.gateway.documents.draft import Draft
from services.gateway.due_times import Period, covered
from shared.contracts.directory import ReportSchedule
from shared.eventstore.store import utc_now
from shared.http import problems
from shared.http.identity import HEADER, sign
from shared.http.keys import SigningKey
from shared.http.problems import FieldError
from shared.rules.access import Identity
from shared.telemetry.tracing import TRACEPARENT, traceparent

SECONDS = 45.0
CHECK_SECONDS = 10.0
"""While somebody waits for the answer to a PUT."""
MOST_BYTES = 10 * 1024 * 1024
"""Of a file; few mailboxes take much more."""
NO_ID = UUID(int=0)
OF_THE_SCHEDULE = ("from", "to", "format")
"""Parameters that the schedule gives itself."""
MEDIA_TYPES = {
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "json": "application/json",
}


class ReportingAway(Exception):
    """Reporting does not answer, or not in time. The same request may succeed later."""


class Refused(Exception):
    """Reporting refuses the report: its status, what it says, and which parts of the request are wrong."""

    def __init__(self, status: int, detail: str, errors: tuple[FieldError, ...] = ()) -> None:
        super().__init__(f"{status} {detail}")
        self.status, self.detail, self.errors = status, detail, errors

    @property
    def reason(self) -> str:
        """In one sentence, for people."""
        wrong = "; ".join(f"{error.pointer}: {error.detail}" for error in self.errors)
        return f"The report was refused: {wrong or self.detail}"[:1000]


class TooLarge(Exception):
    """The file has more than MOST_BYTES."""


class Reports:
    """`urls` maps the name of a service to its base URL."""

    def __init__(self, client: aiohttp.ClientSession, urls: Mapping[str, str], signing_key: SigningKey) -> None:
        self.client, self.urls, self.signing_key = client, urls, signing_key

    async def file(self, who: Identity, schedule: ReportSchedule, period: Period, *, seconds: float = SECONDS) -> bytes:
        """The report over a period, its days and times in the schedule's zone.

        Raises ReportingAway, Refused, TooLarge.
        """
        url = self.urls.get("reporting")
        if url is None:
            raise ReportingAway("no reporting service is configured")
        address = f"{url}/api/v1/reports/{quote(schedule.report, safe='')}?{query(schedule, period)}"
        reader = who.model_copy(update={"timezone": schedule.timezone})
        headers = {HEADER: sign(reader, "reporting", self.signing_key)}
        if (trace := traceparent()) is not None:
            headers[TRACEPARENT] = trace
        try:
            async with asyncio.timeout(seconds), self.client.get(address, headers=headers) as answer:
                content = await _read(answer.content)
                if answer.status == 200:
                    return content
                if answer.status >= 500 or answer.status in (401, 408, 429):
                    raise ReportingAway(f"reporting answered {answer.status}")
                raise _refusal(answer.status, content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ReportingAway(f"reporting did not answer ({type(error).__name__})") from error

    async def trial(self, who: Identity, draft: Draft) -> None:
        """Whether reporting makes such a report for the person. Raises Problem 422, 403 and 503."""
        fields = draft.model_dump(include=set(ReportSchedule.model_fields) - {"id"})
        schedule = ReportSchedule.model_validate({"id": NO_ID, **fields})
        given = [name for name in OF_THE_SCHEDULE if name in schedule.parameters]
        if given:
            raise problems.invalid_fields(
                [FieldError(f"/parameters/{name}", "The schedule gives this parameter itself.") for name in given]
            )
        try:
            await self.file(who, schedule, covered(schedule, utc_now()), seconds=CHECK_SECONDS)
        except ReportingAway as error:
            raise problems.unavailable(f"The report cannot be tried: {error}.") from error
        except TooLarge:
            most = f"{MOST_BYTES // 2**20} MiB"
            raise problems.invalid("/parameters", f"This report has more than {most}; a mail cannot hold it.") from None
        except Refused as refused:
            if refused.status == 403:
                raise problems.forbidden(refused.detail) from refused
            if refused.status == 404:
                raise problems.invalid("/report", "No such report; GET /reports lists them.") from refused
            raise problems.invalid_fields(
                [FieldError(_of_schedule(error.pointer), error.detail) for error in refused.errors]
                or [FieldError("/parameters", refused.detail)]
            ) from refused


def query(schedule: ReportSchedule, period: Period) -> str:
    """The query of a request for the report. Its days are those of the schedule's zone."""
    zone = ZoneInfo(schedule.timezone)
    pairs: list[tuple[str, str]] = []
    for name, value in sorted(schedule.parameters.items()):
        pairs += [(name, _text(each)) for each in (value if isinstance(value, tuple) else (value,))]
    pairs += [
        ("from", period.starts_at.astimezone(zone).isoformat()),
        ("to", period.ends_at.astimezone(zone).isoformat()),
        ("format", schedule.format),
    ]
    return urlencode(pairs)


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


async def _read(stream: aiohttp.StreamReader) -> bytes:
    pieces, size = [], 0
    async for piece in stream.iter_any():
        size += len(piece)
        if size > MOST_BYTES:
            raise TooLarge
        pieces.append(piece)
    return b"".join(pieces)


def _refusal(status: int, content: bytes) -> Refused:
    try:
        document = orjson.loads(content)
        errors = tuple(FieldError(str(each["pointer"]), str(each["detail"])) for each in document.get("errors", ()))
        return Refused(status, str(document.get("detail", "")), errors)
    except (ValueError, TypeError, KeyError, AttributeError):
        return Refused(status, f"reporting answered {status}")


def _of_schedule(pointer: str) -> str:
    """Where the wrong value stands in the schedule."""
    name = re.fullmatch(r"/query/([^/]+)(/.*)?", pointer)
    if name is None:
        return "/report" if pointer.startswith("/path/") else "/parameters"
    return "/format" if name[1] == "format" else f"/parameters/{name[1]}"
