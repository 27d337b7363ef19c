"""The first job of a start with Compose: secrets are made once and never replaced; volumes that do not fit stop it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.docker.prepare import main as prepare
from deploy.docker.trouble import Trouble
from deploy.docker.volumes import SERVICES
from deploy.kafka_access import access
from deploy.local.home import CHECKOUT
from shared.http.keys import SigningKey


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return _made(tmp_path / "secrets")


@pytest.fixture
def handed_out(tmp_path: Path) -> Path:
    for name in ("postgres", "kafka", "jobs", "grafana", *SERVICES):
        _made(tmp_path / "handed-out" / name)
    return tmp_path / "handed-out"


@pytest.fixture
def postgres(tmp_path: Path) -> Path:
    return _made(tmp_path / "postgres")


def _made(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def everything(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): path.read_text("utf-8") for path in directory.rglob("*") if path.is_file()
    }


def test_a_new_system_gets_secrets_and_a_second_start_changes_none(
    kept: Path, handed_out: Path, postgres: Path
) -> None:
    prepare(kept, handed_out, postgres, "")
    first = everything(kept), everything(handed_out)
    (postgres / "18").mkdir()
    prepare(kept, handed_out, postgres, "another")
    assert (everything(kept), everything(handed_out)) == first
    assert len(set(first[0].values())) == len(first[0])


def test_a_service_is_given_its_own_secrets_and_no_owners_url(kept: Path, handed_out: Path, postgres: Path) -> None:
    prepare(kept, handed_out, postgres, "")
    given = everything(handed_out)
    assert {name.partition("/")[2] for name in given if name.startswith("routing/")} == {
        *("database-url", "service-key", "identity-public-keys", "kafka-password", "event-keys"),
    }
    assert not [name for name in given if given["jobs/event-secret"] in given[name] and not name.startswith("jobs/")]
    assert [name for name in given if given["jobs/kafka-admin-password"] in given[name]] == [
        *("jobs/kafka-admin-password", "kafka/access"),
    ]
    assert given["intake/mail-key"] == given["notify/mail-key"]
    assert len({given[f"{service}/service-key"] for service in SERVICES}) == len(SERVICES)
    others = [service for service in SERVICES if service != "gateway"]
    assert {given[f"{service}/identity-public-keys"] for service in others} == {
        SigningKey(given["gateway/identity-signing-key"]).public
    }
    assert {name.split("/")[0] for name in given if name.endswith("identity-signing-key")} == {"gateway"}
    assert all(f"//{service}:" in given[f"{service}/database-url"] for service in SERVICES)
    assert {path.stat().st_mode & 0o777 for path in handed_out.rglob("*") if path.is_file()} == {0o400, 0o444}
    readable = {path.name for path in handed_out.rglob("*") if path.is_file() and path.stat().st_mode & 0o004}
    assert readable == {"postgres-password", "grafana-password", "analyst-password", "access"}


def test_an_administrators_password_that_is_given_is_taken(kept: Path, handed_out: Path, postgres: Path) -> None:
    prepare(kept, handed_out, postgres, "chosen by somebody")
    assert (handed_out / "jobs" / "admin-password").read_text("utf-8") == "chosen by somebody"


def test_a_system_with_one_key_for_all_gets_a_pair_and_keeps_the_rest(
    kept: Path, handed_out: Path, postgres: Path
) -> None:
    """As earlier versions did: the list of secrets has the key that gateway and services shared."""
    prepare(kept, handed_out, postgres, "")
    (postgres / "18").mkdir()
    before = everything(kept)
    for name in [name for name in before if name.endswith("-key") and name != "mail-key"]:
        (kept / name).unlink()
    made = [name for name in before["made"].split() if not name.endswith("-key") or name == "mail-key"]
    (kept / "made").chmod(0o600)
    (kept / "made").write_text("\n".join([*made, "identity-key", ""]), "utf-8")
    (kept / "identity-key").write_text("shared by all", "utf-8")
    (handed_out / "routing" / "identity-key").write_text("shared by all", "utf-8")
    prepare(kept, handed_out, postgres, "")
    after = everything(kept)
    assert "shared by all" not in {*after.values(), *everything(handed_out).values()}
    assert {name: after[name] for name in before if name.endswith("password") or name == "mail-key"} == {
        name: before[name] for name in before if name.endswith("password") or name == "mail-key"
    }
    prepare(kept, handed_out, postgres, "")
    assert everything(kept) == after


def test_a_first_start_that_was_interrupted_goes_on(kept: Path, handed_out: Path, postgres: Path) -> None:
    (kept / "mail-key").write_text("of the embedded set-up\n", "utf-8")
    prepare(kept, handed_out, postgres, "")
    assert (handed_out / "intake" / "mail-key").read_text("utf-8") == "of the embedded set-up"


def test_a_secret_that_is_gone_is_not_replaced(kept: Path, handed_out: Path, postgres: Path) -> None:
    prepare(kept, handed_out, postgres, "")
    (kept / "mail-key").unlink()
    with pytest.raises(Trouble, match="mail-key is missing"):
        prepare(kept, handed_out, postgres, "")
    assert not (kept / "mail-key").exists()


def test_data_without_secrets_stop_the_start(kept: Path, handed_out: Path, postgres: Path) -> None:
    (postgres / "18").mkdir()
    with pytest.raises(Trouble, match="`secrets` is empty"):
        prepare(kept, handed_out, postgres, "")
    assert everything(kept) == everything(handed_out) == {}


@pytest.mark.parametrize(("inside", "told"), [("17", "PostgreSQL 17"), ("PG_VERSION", "an older PostgreSQL image")])
def test_a_volume_of_an_older_postgresql_stops_the_start(
    kept: Path, handed_out: Path, postgres: Path, inside: str, told: str
) -> None:
    (postgres / inside).mkdir()
    with pytest.raises(Trouble, match=told):
        prepare(kept, handed_out, postgres, "")
    assert everything(kept) == {}


@pytest.mark.parametrize("arguments", [[], ["help"], ["billing", "api"]])
def test_the_images_command_tells_what_it_can_run(arguments: list[str]) -> None:
    done = _image_command(*arguments)
    assert done.returncode == 2 and "intake" in done.stderr and "topics" in done.stderr


@pytest.mark.parametrize("arguments", [["intake", "api"], ["gateway", "migrate"], ["topics"], ["relay-check"]])
def test_a_missing_secret_stops_with_one_line(arguments: list[str], tmp_path: Path) -> None:
    done = _image_command(
        *arguments, LEDGERDESK_LISTEN="127.0.0.1:0", LEDGERDESK_DATABASE_URL_FILE=str(tmp_path / "nothing")
    )
    assert done.returncode == 1
    assert (
        len(done.stderr.strip().splitlines()) == 1 and "LEDGERDESK_" in done.stderr and "Traceback" not in done.stderr
    )


def _image_command(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    usual = {name: value for name, value in os.environ.items() if not name.startswith(("LEDGERDESK_", "OTEL_"))}
    command = [sys.executable, "-m", "deploy.docker", *arguments]
    return subprocess.run(command, cwd=CHECKOUT, env=usual | more, capture_output=True, text=True, check=False)


def test_kafkas_settings_reach_the_broker_whole(kept: Path, handed_out: Path, postgres: Path) -> None:
    """As `kafka-start.sh` reads them, and the wrapper of the image converts their names."""
    prepare(kept, handed_out, postgres, "")
    script = 'while IFS= read -r line; do export "$line"; done < "$1"; env'
    told = subprocess.run(
        ["bash", "-c", script, "bash", str(handed_out / "kafka" / "access")],
        env={},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    lines = (line.partition("=") for line in told.splitlines() if line.startswith("KAFKA_"))
    found = {
        name.removeprefix("KAFKA_").lower().replace("_", ".").replace("...", "-").replace("..", "_"): value
        for name, _, value in lines
    }
    assert found == access((kept / "kafka-admin-password").read_text("utf-8"))
    assert (
        set(access("x")) & {"authorizer.class.name", "super.users"}
        and found["allow.everyone.if.no.acl.found"] == "false"
    )


def test_secrets_that_came_with_an_update_are_added(kept: Path, handed_out: Path, postgres: Path) -> None:
    """The list of secrets of an older system does not have them."""
    prepare(kept, handed_out, postgres, "")
    added = {"event-secret", "kafka-admin-password", *(f"{service}-kafka-password" for service in SERVICES)}
    known = [name for name in (kept / "made").read_text("utf-8").split() if name not in added]
    for name in (*added, "made"):
        (kept / name).unlink()
    (kept / "made").write_text("\n".join(known), "utf-8")
    (postgres / "18").mkdir()
    before = everything(kept)
    prepare(kept, handed_out, postgres, "")
    assert added <= everything(kept).keys() and before.items() - {("made", before["made"])} <= everything(kept).items()
