"""How to connect as an analyst is printed with the analysts' own password and no other secret."""

from pathlib import Path

import pytest

from deploy.analyst import how_to_connect
from deploy.docker import __main__ as image
from deploy.docker import volumes
from deploy.local.home import CHECKOUT

URL = "postgresql://analyst:a%2Fb@127.0.0.1:5432/reporting"  # pragma: allowlist secret


def test_each_program_gets_what_it_asks_for() -> None:
    text = how_to_connect(URL, "On this machine.", "/usr/bin/psql")
    assert f"/usr/bin/psql '{URL}'" in text
    assert f"ATTACH '{URL}' AS desk (TYPE postgres, READ_ONLY, SCHEMA 'analytics')" in text
    assert URL.replace("postgresql:", "postgresql+psycopg:") in text
    assert "host 127.0.0.1, port 5432, database reporting, user analyst" in text and "password a/b," in text


def test_the_image_prints_it_and_nothing_of_the_other_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(volumes, "JOBS", tmp_path)
    for role, password in (("analyst", "of-analysts"), ("reporting-owner", "of-the-owner")):
        (tmp_path / f"{role}-url").write_text(f"postgresql://{role}:{password}@postgres:5432/reporting")
    assert image.main(["analyst"]) == 0
    shown = capsys.readouterr().out
    assert "of-analysts" in shown and "of-the-owner" not in shown and "inside" in shown


def test_the_document_names_the_commands_that_there_are() -> None:
    text = (CHECKOUT / "docs" / "analysts.md").read_text("utf-8")
    assert "make analyst" in text and "\nanalyst:" in (CHECKOUT / "Makefile").read_text("utf-8")
    assert "docker compose run --rm databases analyst" in text and "analyst" in image.JOBS
