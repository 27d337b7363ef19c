"""Saves a running instance in the form that `deploy/docker/restore` reads, to move it into containers."""

import contextlib
import io
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from deploy.local.home import Home, Trouble
from deploy.local.postgres import binaries
from deploy.local.programs import Instance
from deploy.local.supervision import Supervisor

DATABASES = ("notify", "routing", "intake", "gateway")
"""Databases with effects before those with their causes, so that no cause is missing. Read models are built again."""


def backup(home: Home, target: Path, say: Callable[[str], None]) -> None:
    """Raises Trouble. The target is a new or empty directory."""
    if not Supervisor(home).alive():
        raise Trouble("Ledgerdesk does not run: run `make up` first; the databases are read through their server")
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(target.iterdir()):
        raise Trouble(f"{target} is not empty: name a new directory")
    postgres = Instance(home, home.ports(running=True)).postgres
    for database in DATABASES:
        command = [str(binaries() / "pg_dump"), "--host=127.0.0.1", f"--port={postgres.port}", "--username=postgres"]
        command += ["--format=custom", f"--file={target / database}.dump", database]
        environment = os.environ | {"PGPASSWORD": postgres.password}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Trouble(f"{database} cannot be saved: {done.stderr.strip()[-300:]}")
    with _archive(target / "files.tar") as archive:
        for folder, name in ((home.path / "blobs", "blobs"), (home.sent, "sent")):
            _add(archive, folder, name)
    with _archive(target / "secrets.tar") as archive:
        for path in (home.secrets / "mail-key", home.admin_password):
            content = path.read_bytes()
            entry = tarfile.TarInfo(f"secrets/{path.name}")
            entry.size, entry.mode = len(content), 0o400
            archive.addfile(entry, io.BytesIO(content))
    say(f"Saved in {target}. secrets.tar gives access to everything: keep it like a password.")
    say("Not in it: the secrets of mailboxes and the keys that sign mail.")


def _add(archive: tarfile.TarFile, folder: Path, name: str) -> None:
    """Adds the files below a folder. Those that are being written, or that are gone, are in no dump either."""
    archive.add(folder, name, recursive=False)
    for path in sorted(folder.rglob("*")):
        below = path.relative_to(folder)
        if path.suffix == ".part" or (name == "sent" and below.parts[0] == "tmp" and len(below.parts) > 1):
            continue
        with contextlib.suppress(FileNotFoundError):
            archive.add(path, f"{name}/{below}", recursive=False)


@contextlib.contextmanager
def _archive(path: Path) -> Iterator[tarfile.TarFile]:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            yield archive
