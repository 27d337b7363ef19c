"""The first job of every start: checks the volumes, makes a new system's secrets, and gives each container its own.

Secrets are made only once: with a new mail key, replies to earlier mails would not be recognised. So a lost secret is
reported and not replaced, and so is a system with data and no secrets.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from deploy.docker.trouble import Trouble
from deploy.docker.volumes import SERVICES
from deploy.kafka_access import access, as_environment
from shared.http.keys import public_keys
from shared.messaging.access.authenticity import EventKeys

MADE = "made"
"""The file that lists the secrets. It is written last, so that an interrupted first start can go on."""
VERSION = "18"
SECRET_BYTES = 32
"""The length of an Ed25519 key, which the gateway's is."""
PAGE = "docs/deploy/compose.md"
PASSWORDS = (
    *("postgres", "admin", "grafana", "kafka-admin", "analyst"),
    *(f"{service}{whose}" for service in SERVICES for whose in ("", "-owner", "-kafka")),
)
OTHER_USERS = ("postgres/", "grafana/", "kafka/")
"""Containers of other images run as other users: their files are readable to all, and only they mount them."""
SIGNING_KEY = "identity-signing-key"
NAMES = (
    *(f"{each}-password" for each in PASSWORDS),
    *(f"{service}-key" for service in SERVICES),
    SIGNING_KEY,
    "mail-key",
    "event-secret",
)
OUTDATED = "identity-key"
"""A secret of earlier versions, with which every service could sign any identity. It is deleted."""


def main(kept: Path, handed_out: Path, postgres: Path, given_admin_password: str) -> None:
    """Raises Trouble. Running it again only replaces copies that differ."""
    known = _known(kept)
    if _has_data(postgres) and not known:
        raise Trouble(
            "the volume `postgres` holds data, but the volume `secrets` is empty: restore it from the backup;"
            f" for a new system remove both (see {PAGE})"
        )
    lost = sorted(name for name in known.intersection(NAMES) if not (kept / name).exists())
    if lost:
        raise Trouble(
            f"the secret {lost[0]} is missing in the volume `secrets`: restore it from the backup,"
            f" nothing is started (see {PAGE})"
        )
    values = {name: _kept(kept, name, given_admin_password if name == "admin-password" else "") for name in NAMES}
    for path, value in _copies(values):
        _write(handed_out / path, value, 0o444 if path.startswith(OTHER_USERS) else 0o400)
    _write(kept / MADE, "".join(f"{name}\n" for name in NAMES), 0o400)
    for folder in (kept, *(handed_out / service for service in SERVICES)):  # only these directories are writable
        (folder / OUTDATED).unlink(missing_ok=True)


def _known(kept: Path) -> set[str]:
    try:
        return set((kept / MADE).read_text("utf-8").split())
    except FileNotFoundError:
        return set()


def _has_data(volume: Path) -> bool:
    """Whether the volume holds data of PostgreSQL. Raises Trouble if they are of another version or image."""
    try:
        names = {path.name for path in volume.iterdir()}
    except PermissionError:
        names = {"PG_VERSION"}  # only a data directory is unreadable
    older = sorted(name for name in names if name.isdigit() and name != VERSION)
    if "PG_VERSION" in names or (older and VERSION not in names):
        former = f"PostgreSQL {older[-1]}" if older else "an older PostgreSQL image"
        raise Trouble(
            f"the volume `postgres` was made by {former}, and this is {VERSION}: dump it with the old version"
            f" and restore the dump into an empty volume (see {PAGE})"
        )
    return VERSION in names


def _kept(kept: Path, name: str, given: str) -> str:
    """The secret; a new one if there is none. A file that was put there before the first start is used."""
    path = kept / name
    if not path.exists():
        _write(path, given or secrets.token_urlsafe(SECRET_BYTES), 0o400)
    value = path.read_text("utf-8").rstrip("\r\n")
    if not value:
        raise Trouble(f"the secret {name} in the volume `secrets` is empty: restore it from the backup (see {PAGE})")
    return value


def _copies(values: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The files that each container gets, as (directory/file, value)."""
    yield "postgres/postgres-password", values["postgres-password"]
    yield "grafana/grafana-password", values["grafana-password"]
    yield "grafana/analyst-password", values["analyst-password"]
    settings = as_environment(access(values["kafka-admin-password"]))
    yield "kafka/access", "".join(f"{name}={value}\n" for name, value in settings.items())
    yield "jobs/kafka-admin-password", values["kafka-admin-password"]
    yield "jobs/kafka-passwords", "".join(f"{service}={values[f'{service}-kafka-password']}\n" for service in SERVICES)
    yield "jobs/event-secret", values["event-secret"]
    yield "jobs/postgres-url", _url("postgres", values["postgres-password"], "postgres")
    yield "jobs/admin-password", values["admin-password"]
    yield "jobs/analyst-url", _url("analyst", values["analyst-password"], "reporting")
    for service in SERVICES:
        app = _url(service, values[f"{service}-password"], service)
        yield f"jobs/{service}-url", app
        yield f"jobs/{service}-owner-url", _url(f"{service}_owner", values[f"{service}-owner-password"], service)
        yield f"{service}/database-url", app
        yield f"{service}/service-key", values[f"{service}-key"]
        yield f"{service}/kafka-password", values[f"{service}-kafka-password"]
        yield f"{service}/event-keys", EventKeys.derived(values["event-secret"], service).text
        if service == "gateway":
            yield "gateway/identity-signing-key", values[SIGNING_KEY]
        else:
            yield f"{service}/identity-public-keys", public_keys(values[SIGNING_KEY])
    for service in ("intake", "notify"):
        yield f"{service}/mail-key", values["mail-key"]


def _url(role: str, password: str, database: str) -> str:
    return f"postgresql://{role}:{quote(password, safe='')}@postgres:5432/{database}"


def _write(path: Path, value: str, mode: int) -> None:
    """Writes a file atomically. It has this mode from the first byte on."""
    if path.exists() and path.read_text("utf-8") == value:
        return
    staged = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask is
        file.write(value)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
