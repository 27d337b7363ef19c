"""Log lines: JSON, with trace and ticket, without secrets, mail text or floods."""

import contextvars
import json
import logging
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from shared.telemetry.logs import HIDDEN, Flood, JsonLines, Redaction
from shared.telemetry.trace import about_ticket, enter_trace, leave_trace

LINES = JsonLines("intake", "api", Redaction(["the-very-secret-value"]))


def line(message: str, *args: object, error: BaseException | None = None, **extra: object) -> dict[str, Any]:
    raised = (type(error), error, error.__traceback__) if error else None
    logger = logging.getLogger("shared.test")
    text = LINES.format(logger.makeRecord(logger.name, logging.INFO, __file__, 1, message, args, raised, extra=extra))
    assert "\n" not in text
    told: dict[str, Any] = json.loads(text)
    return told


def test_a_line_tells_when_who_and_what() -> None:
    told = contextvars.Context().run(line, "ticket %s opened", 7, count=3)  # outside of any request
    assert told.pop("time").endswith("Z")
    assert told == {
        "level": "INFO",
        "logger": "shared.test",
        "message": "ticket 7 opened",
        "service": "intake",
        "role": "api",
        "count": 3,
    }


def test_trace_and_ticket_are_logged_if_known() -> None:
    token = enter_trace("a" * 32)
    try:
        with about_ticket("0192"):
            told = line("x")
    finally:
        leave_trace(token)
    assert (told["trace_id"], told["ticket"]) == ("a" * 32, "0192")
    assert "ticket" not in line("x")


@pytest.mark.parametrize(
    "text",
    [
        "password=hunter2 x",
        "password = 'hunter2' x",
        '{"password": "hunter2", "a": 1}',
        "new_password: hunter2",
        "Authorization: Bearer hunter2",
        "Authorization: Basic hunter2",
        "got Bearer hunter2hunter2",
        "X-Ledgerdesk-Identity: hunter2.hunter2",
        "Cookie: session=hunter2",
        "api_key=hunter2&x=1",
        "cannot reach postgresql://intake:hunter2@127.0.0.1:5432/intake",
        "smtp://user:hunter2@mail.example",
    ],
)
def test_a_value_after_the_name_of_a_secret_is_hidden(text: str) -> None:
    told = line("%s", text)["message"]
    assert "hunter2" not in told
    assert HIDDEN in told


def test_a_known_secret_is_hidden_in_any_position() -> None:
    assert "the-very" not in json.dumps(line("x the-very-secret-value y", detail={"a": ["the-very-secret-value"]}))


@pytest.mark.parametrize("name", ["password", "identity_key", "token", "Authorization", "set_cookie"])
def test_a_secret_field_is_hidden(name: str) -> None:
    fields: dict[str, Any] = {name: "hunter2"}
    assert line("x", **fields)[name] == HIDDEN
    assert line("x", outer={name: "hunter2"})["outer"][name] == HIDDEN


def test_harmless_words_stay() -> None:
    text = "consumer routing parks ticket 0192: tokens of the number 2026 and the passwords page, 3 keys"
    assert line("%s", text)["message"] == text


def test_the_environments_secrets_are_known(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from-a-file\n")
    redaction = Redaction.of_environment(
        {
            "LEDGERDESK_SERVICE_KEY": "plain-key",  # pragma: allowlist secret
            "LEDGERDESK_MAIL_KEY_FILE": str(file),
            "LEDGERDESK_DATABASE_URL": "postgresql://intake:url-password@db/intake",
            "LEDGERDESK_ADMIN_PASSWORD_FILE": str(tmp_path / "missing"),
            "LEDGERDESK_LISTEN": "127.0.0.1:8080",
            "HOME": "/home/somebody",
        }
    )
    assert redaction.text("plain-key from-a-file url-password 127.0.0.1:8080 /home/somebody") == (
        "*** *** *** 127.0.0.1:8080 /home/somebody"
    )


def test_only_the_first_line_of_a_text_is_logged() -> None:
    told = line("%s", "null value violates constraint\nDETAIL:  Failing row contains (Dear sirs, ...)")
    assert told["message"] == "null value violates constraint ..."
    assert len(line("x" * 5000)["message"]) < 1100


def test_an_exception_is_logged_without_the_values_it_quotes() -> None:
    class Mail(BaseModel):
        size: int

    try:
        try:
            Mail.model_validate({"size": "Dear sirs, my computer hums"})
        except ValidationError as cause:
            raise RuntimeError("cannot read it\nDear sirs") from cause
    except RuntimeError as error:
        told = line("failed", error=error)["exception"]
    assert "RuntimeError: cannot read it" in told and "caused by\nValidationError: 1 validation error" in told
    assert "test_logs.py" in told
    assert "Dear" not in told.replace('RuntimeError("cannot read it\\nDear sirs")', "").replace(
        'Mail.model_validate({"size": "Dear sirs, my computer hums"})', ""
    )


@given(st.text(max_size=200))
def test_any_text_makes_one_line_of_json(text: str) -> None:
    line("%s", text, field=text)


@given(st.text(st.characters(categories=["Cs"]), min_size=1, max_size=3))
def test_lone_surrogates_do_not_break_a_line(text: str) -> None:
    line("%s", text, field=text)


def record(message: str, logger: str = "aiokafka.conn") -> logging.LogRecord:
    return logging.makeLogRecord({"name": logger, "msg": message, "levelno": logging.ERROR})


def test_a_flood_is_cut_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("shared.telemetry.logs.time.monotonic", lambda: now)
    flood = Flood(ours=3, libraries=2)
    assert [flood.filter(record("cannot connect")) for _ in range(5)] == [True, True, False, False, False]
    assert [flood.filter(record("cannot connect", "shared.messaging")) for _ in range(4)] == [True, True, True, False]
    assert flood.filter(record("something else"))
    now += 61
    told = record("cannot connect")
    assert flood.filter(told)
    assert told.__dict__["suppressed"] == 3
    assert "suppressed" not in vars(record("cannot connect"))


def test_many_kinds_do_not_fill_memory() -> None:
    flood = Flood()
    for n in range(Flood.KINDS + 100):
        flood.filter(record(f"message {n}"))
    assert len(flood._windows) == Flood.KINDS
    assert sys.getsizeof(flood._windows) < 1_000_000
