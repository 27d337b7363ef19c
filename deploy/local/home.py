"""Where one local instance lives: `$LEDGERDESK_HOME` with its data, logs, secrets and ports."""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.local.ports import free_ports

CHECKOUT = Path(__file__).resolve().parents[2]
SERVICES = ("gateway", "intake", "routing", "notify", "reporting")
OUTDATED = ("identity-key",)
"""Secrets of earlier versions. They are deleted: with this one every service could sign any identity."""
METRICS = {service: f"{service}-metrics" for service in SERVICES}
"""The names of the ports for monitors."""
FREE_PORTS = ("postgres", "kafka", "kafka-controller", "intake", "routing", "notify", "reporting", *METRICS.values())


class Trouble(Exception):
    """A problem that the user can solve. The message says what it is and how to solve it."""


@dataclass(frozen=True, slots=True)
class Home:
    """The directory of one instance. Instances share nothing but the checkout."""

    path: Path

    @classmethod
    def of_environment(cls) -> "Home":
        return cls(Path(os.environ.get("LEDGERDESK_HOME") or CHECKOUT / "var").resolve())

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def mailbox_secrets(self) -> Path:
        """The secrets that documents of mailboxes may name. The instance's own secrets are elsewhere."""
        return self.path / "mailbox-secrets"

    @property
    def sent(self) -> Path:
        return self.path / "sent"

    @property
    def admin_password(self) -> Path:
        return self.path / "admin-password"

    @property
    def socket(self) -> Path:
        """The supervisor's control socket: in the home, or in the temporary folder if that path is too long."""
        inside = self.run / "supervisor.sock"
        if len(os.fsencode(inside)) < 90:
            return inside
        return (
            Path(tempfile.gettempdir()) / f"ledgerdesk-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]}.sock"
        )

    @contextlib.contextmanager
    def changing(self, say: Callable[[str], None]) -> Iterator[None]:
        """A lock: one command at a time starts or stops this instance."""
        name = f"ledgerdesk-{os.getuid()}-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:16]}.lock"
        turn = os.open(Path(tempfile.gettempdir()) / name, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        try:
            try:
                fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another command is starting or stopping this instance; waiting for it ...")
                fcntl.flock(turn, fcntl.LOCK_EX)
            yield
        finally:
            os.close(turn)

    def make(self) -> None:
        """Creates the directories that only the owner may read."""
        private = (self.secrets, self.mailbox_secrets, self.logs, self.path / "blobs", self.sent)
        for directory in (self.path, self.run, *private):
            directory.mkdir(parents=True, exist_ok=True)
        for directory in private:
            directory.chmod(0o700)
        for name in OUTDATED:
            (self.secrets / name).unlink(missing_ok=True)
        for name in ("cur", "new", "tmp"):
            (self.sent / name).mkdir(exist_ok=True)

    def secret(self, name: str, value: str | None = None) -> str:
        """A secret that is made once and kept. `value` sets it."""
        path = self.secrets / name
        if value is None and path.exists():
            return path.read_text("utf-8")
        made = value if value is not None else secrets.token_urlsafe(32)
        write_private(path, made)
        return made

    def ports(self, *, running: bool = False) -> dict[str, int]:
        """The ports of this instance: the two that people use from the environment, the rest free ones, chosen once.

        A running instance keeps the ports of its start, whatever the environment says now.
        """
        path = self.run / "ports.json"
        known: dict[str, int] = json.loads(path.read_text("utf-8")) if path.exists() else {}
        ports = {name: known[name] for name in FREE_PORTS if name in known}
        missing = [name for name in FREE_PORTS if name not in ports]
        if missing:
            ports |= dict(zip(missing, free_ports(len(missing)), strict=True))
        for name, variable, usual in (("gateway", "LEDGERDESK_PORT", 8080), ("lmtp", "LEDGERDESK_LMTP_PORT", 2424)):
            before = known.get(name, usual)
            ports[name] = before if running and name in known else _port(variable, before)
        return ports

    def remember(self, ports: Mapping[str, int]) -> None:
        (self.run / "ports.json").write_text(json.dumps(dict(ports), indent=1), "utf-8")


def write_private(path: Path, text: str) -> None:
    """Writes a file that only its owner may read, from the first byte on."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _port(variable: str, default: int) -> int:
    text = os.environ.get(variable, "")
    if not text:
        return default
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise Trouble(f"{variable} is {text!r}: set it to a port number from 1 to 65535")
    return int(text)
