"""PostgreSQL as we run it: whom its files belong to, and what its log tells."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.databases import provide
from deploy.local import account
from deploy.local.account import hand_over, postgres_account
from deploy.local.home import CHECKOUT, Trouble
from deploy.local.postgres import SETTINGS, PostgresServer
from deploy.local.servers import postgres_server

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may run programs as somebody else")
WORDS = "the results of my blood test"


@pytest.fixture(scope="module")
def folder(scratch: Path) -> Path:
    made = scratch / "alone"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[PostgresServer]:
    """One that logs every statement, as if each were slow."""
    with postgres_server(folder, log_min_duration_statement="0") as made:
        yield made


async def test_postgresqls_log_holds_no_personal_data(server: PostgresServer, folder: Path) -> None:
    connection = await asyncpg.connect(server.superuser_url)
    await connection.execute("CREATE TABLE notes (id integer PRIMARY KEY, words text UNIQUE CHECK (words <> ''))")
    add = "INSERT INTO notes VALUES ($1, $2)"
    await connection.execute(add, 1, WORDS)
    for refused in ((2, WORDS), (1, ""), (1, WORDS + " again")):
        with pytest.raises(asyncpg.IntegrityConstraintViolationError):
            await connection.execute(add, *refused)
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute(f"INSERT INTO notes VALUES (3, '{WORDS}')")
    await connection.close()
    told = (folder / "postgres.log").read_text("utf-8")
    assert f"execute {'__asyncpg'}" in told and "violates unique constraint" in told
    assert WORDS not in told


async def test_postgresqls_log_holds_no_passwords(server: PostgresServer, folder: Path) -> None:
    passwords = ("of the owner", "of the service")
    for _ in range(2):  # the roles are made, then given their passwords again
        await provide(server.superuser_url, "billing", ("billing_owner", passwords[0]), ("billing", passwords[1]))
    told = (folder / "postgres.log").read_text("utf-8")
    assert not [each for each in passwords if each in told]


@as_root
def test_postgresqls_files_belong_to_an_account_of_its_own(server: PostgresServer) -> None:
    owners = {path.lstat().st_uid for path in (server.data, *server.data.rglob("*"))}
    assert owners == {pwd.getpwnam(account.NAME).pw_uid}


@as_root
def test_only_the_files_of_the_former_account_change_their_owner(tmp_path: Path) -> None:
    nobody, wanted = pwd.getpwnam("nobody").pw_uid, pwd.getpwnam(str(postgres_account())).pw_uid
    data, outside = tmp_path / "data", tmp_path / "outside"
    (data / "base").mkdir(parents=True)
    outside.write_text("root's")
    (data / "base" / "1").write_text("rows")
    (data / "base" / "planted").symlink_to(outside)
    os.link(outside, data / "linked")
    for path in (data, data / "base", data / "base" / "1", data / "base" / "planted"):
        os.chown(path, nobody, nobody, follow_symlinks=False)
    hand_over(data, account.NAME)
    assert {path.lstat().st_uid for path in (data, data / "base", data / "base" / "1")} == {wanted}
    assert outside.stat().st_uid == 0


@as_root
@pytest.mark.parametrize(
    ("named", "words"), [("nobody", "other programs run as"), ("no-such-account", "no such account")]
)
def test_an_unusable_account_is_reported(monkeypatch: pytest.MonkeyPatch, named: str, words: str) -> None:
    monkeypatch.setenv(account.VARIABLE, named)
    with pytest.raises(Trouble, match=words):
        postgres_account()


@as_root
def test_the_remedy_is_reported_if_no_account_can_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(account, "NAME", "ledgerdesk-unheard-of")
    monkeypatch.setattr(account.shutil, "which", lambda *_, **__: None)  # type: ignore[attr-defined]
    with pytest.raises(Trouble, match=r"there is no useradd .* make a system account"):
        postgres_account()


def test_the_composed_server_logs_by_the_same_rules() -> None:
    composed = (CHECKOUT / "docker-compose.yml").read_text("utf-8")
    for name in (name for name in SETTINGS if name.startswith("log_") and name != "log_line_prefix"):
        assert f"- -c{name}={SETTINGS[name]}\n" in composed
