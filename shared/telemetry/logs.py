"""Logs as JSON lines on stderr, with trace and ticket id, without secrets or mail text, and limited in number."""

import json
import logging
import os
import re
import sys
import time
import traceback
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from shared.telemetry.trace import current_ticket, current_trace_id

LONGEST_MESSAGE = 1000
OURS_A_MINUTE = 60
LIBRARIES_A_MINUTE = 5
"""aiokafka logs ten lines a second for each failing loop."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "suppressed",
    "color_message",
}
_SECRET_NAME = re.compile(
    r"password|passwd|secret|token|api_?key|authorization|cookie|credential|identity|_key$", re.IGNORECASE
)
_SECRET_PAIR = re.compile(
    r"""(?ix) ( \b [\w-]* (?: password | passwd | secret | token | api_?key | authorization | cookie |
        x-ledgerdesk-identity ) [\w-]*
        ["']? \s* [:=] \s* ) (?: (["']) .*? \2 | (?: (?:bearer|basic) \s+ )? [^\s,;&)}\]"']+ )"""
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_URL_PASSWORD = re.compile(r"(://[^/\s:@]*:)[^@\s/]+@")
HIDDEN = "***"


def configure(service: str, role: str, level: str = "INFO") -> None:
    """Makes the root logger write JSON lines to stderr. Replaces any earlier configuration."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service, role))
    handler.addFilter(Flood())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    known = logging.getLevelNamesMapping().get(level.upper())
    root.setLevel(known if known is not None else logging.INFO)
    for noisy in ("aiokafka", "asyncio", "urllib3", "opentelemetry"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, root.level))
    if known is None:
        logging.getLogger(__name__).warning("LEDGERDESK_LOG_LEVEL %r is not a level; INFO is used", level)


class Redaction:
    """Hides secrets in text: values after a name such as `password`, passwords in URLs, the secrets of this process."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({secret for secret in secrets if len(secret) >= 6}, key=len, reverse=True)

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> "Redaction":
        """Hides the secrets of the environment, including those in files that `NAME_FILE` names."""
        return cls(_secrets_of(environment))

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = _URL_PASSWORD.sub(rf"\g<1>{HIDDEN}@", text)
        text = _SECRET_PAIR.sub(rf"\g<1>{HIDDEN}", text)
        return _BEARER.sub(rf"\g<1> {HIDDEN}", text)

    def value(self, name: str, value: Any) -> Any:
        """A field's value, hidden if the name of the field is that of a secret."""
        if _SECRET_NAME.search(name):
            return HIDDEN
        if isinstance(value, bool | int | float | None):
            return value
        if isinstance(value, Mapping):
            return {str(key): self.value(str(key), below) for key, below in value.items()}
        return self.text(one_line(str(value)))


def one_line(text: str) -> str:
    """The first line, cut to LONGEST_MESSAGE. Further lines of database and validation errors quote values."""
    first, _, rest = text.partition("\n")
    cut = first[:LONGEST_MESSAGE]
    return f"{cut} ..." if rest or len(first) > len(cut) else cut


class JsonLines(logging.Formatter):
    """One JSON object for each record."""

    def __init__(self, service: str, role: str, redaction: Redaction | None = None) -> None:
        super().__init__()
        self.service, self.role = service, role
        self.redaction = redaction or Redaction.of_environment()

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        """The fields of a line."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": self.redaction.text(one_line(record.getMessage())),
            "service": self.service,
            "role": self.role,
        }
        known = {"trace_id": current_trace_id(), "ticket": current_ticket()}
        fields |= {name: value for name, value in known.items() if value is not None}
        fields |= {
            name: self.redaction.value(name, value)
            for name, value in vars(record).items()
            if name not in _STANDARD and not name.startswith("_")
        }
        suppressed = getattr(record, "suppressed", 0)
        if suppressed:
            fields["suppressed"] = suppressed
        if record.exc_info and record.exc_info[1] is not None:
            fields["exception"] = self.redaction.text(describe(record.exc_info[1]))
        return fields

    def format(self, record: logging.LogRecord) -> str:
        fields = self.fields(record)
        try:
            return orjson.dumps(fields, default=str).decode()
        except TypeError:  # lone surrogates, from undecodable bytes of a mail
            return json.dumps(fields, default=str)


def describe(error: BaseException) -> str:
    """An exception with its causes and stack traces, each message cut to its first line."""
    parts: list[str] = []
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        stack = "".join(traceback.format_tb(each.__traceback__, limit=-20))
        parts.append(f"{type(each).__name__}: {one_line(str(each))}\n{stack}")
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    return "caused by\n".join(parts)


class Flood(logging.Filter):
    """Limits equal records to a few a minute. The next one tells how many were suppressed."""

    KINDS = 2000

    def __init__(self, ours: int = OURS_A_MINUTE, libraries: int = LIBRARIES_A_MINUTE) -> None:
        super().__init__()
        self.ours, self.libraries = ours, libraries
        self._windows: OrderedDict[tuple[str, int, str], list[float]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        kind = (record.name, record.levelno, str(record.msg)[:200])
        now = time.monotonic()
        window = self._windows.get(kind)  # [start, let through, suppressed]
        if window is None:
            window = self._windows[kind] = [now, 0, 0]
            if len(self._windows) > self.KINDS:
                self._windows.popitem(last=False)
        elif now - window[0] >= 60:
            if window[2]:
                record.suppressed = int(window[2])
            window[:] = [now, 0, 0]
            self._windows.move_to_end(kind)
        most = self.ours if record.name.partition(".")[0] in ("shared", "services", "deploy") else self.libraries
        if window[1] >= most:
            window[2] += 1
            return False
        window[1] += 1
        return True


def _secrets_of(environment: Mapping[str, str]) -> Iterable[str]:
    for name, value in environment.items():
        if not name.startswith(("LEDGERDESK_", "OTEL_")):
            continue
        plain = name.removesuffix("_FILE")
        try:
            text = value if plain == name else Path(value).read_text("utf-8").strip()
            if plain.endswith(("_KEY", "_PASSWORD", "_SECRET", "_TOKEN", "_HEADERS")):
                yield text
            elif plain.endswith("_URL"):
                yield urlsplit(text).password or ""
        except (OSError, ValueError):
            continue  # whatever needs the setting reports that it cannot be read
