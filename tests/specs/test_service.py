"""The command line of a service, as far as it needs no database."""

import subprocess
import sys

import pytest

from shared.service.command_line import Service, main


def load() -> Service:
    return Service(lambda *_: pytest.fail("nothing runs"), {"routing": lambda _: {}}.get)


@pytest.mark.parametrize("command", [["replay", "rooting", "all"], ["resume", "rooting"]])
def test_an_unknown_consumer_is_reported(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["services.routing", *command])
    with pytest.raises(SystemExit) as ended:
        main("routing", [], load)
    assert ended.value.code == 2
    assert "routing has no consumer 'rooting'" in capsys.readouterr().err


@pytest.mark.parametrize("service", ["intake", "routing", "notify", "reporting", "gateway"])
def test_migrations_are_reached_without_importing_the_service(service: str) -> None:
    """It runs at every start of every service."""
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", f"services.{service}", "migrate"],
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"{service} migrate: set LEDGERDESK_DATABASE_OWNER_URL" in told.stderr
    imported = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines() if line.startswith("import time:")}
    assert f"services.{service}.schema" in imported
    assert not imported & {"fastapi", "aiokafka", "pydantic", f"services.{service}.app"}
