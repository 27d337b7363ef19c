"""The account that PostgreSQL runs as if root starts it, and that owns its files."""

import fcntl
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from deploy.local.home import Trouble

NAME = "ledgerdesk-postgres"
VARIABLE = "LEDGERDESK_POSTGRES_USER"
USED_BY_OTHERS = ("root", "nobody")
"""PostgreSQL refuses root. Other programs may run as nobody, and would own the database too."""


def postgres_account() -> str | None:
    """The account if root starts PostgreSQL, else None: it runs as the caller.

    It is the one that LEDGERDESK_POSTGRES_USER names, else `ledgerdesk-postgres`, which is made if there is none.
    Raises Trouble if the named one cannot be used, or none can be made.
    """
    if os.geteuid() != 0:
        return None
    named = os.environ.get(VARIABLE)
    if named:
        if named in USED_BY_OTHERS:
            raise Trouble(f"{VARIABLE} is {named}, which other programs run as: name an account for PostgreSQL alone")
        if not _exists(named):
            raise Trouble(f"{VARIABLE} is {named}, and there is no such account: create it, or leave {VARIABLE} out")
        return named
    if not _exists(NAME):
        _make()
    return NAME


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _make() -> None:
    program = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    remedy = f"make a system account `{NAME}`, or name one in {VARIABLE}, or run as a normal user"
    if program is None:
        raise Trouble(f"PostgreSQL does not run as root, and there is no useradd to make an account for it: {remedy}")
    with open("/etc/passwd", "rb") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # several test runs may start at once
        if _exists(NAME):
            return
        made = subprocess.run(
            [program, "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
             "--shell", "/usr/sbin/nologin", NAME],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if made.returncode:
        raise Trouble(
            "PostgreSQL does not run as root, and no account can be made for it"
            f" ({made.stderr.strip()[-200:]}): {remedy}"
        )


def hand_over(directory: Path, account: str) -> None:
    """Gives a directory with everything in it to an account, if it belongs to another one. Raises Trouble.

    Only files of the former owner are changed, and no link is followed, because that owner could have put any there.
    The directory itself comes last, so that an interrupted change goes on.
    """
    wanted = pwd.getpwnam(account)
    before = directory.stat().st_uid
    if before == wanted.pw_uid:
        return
    try:
        for _, folders, files, place in os.fwalk(directory, topdown=False):
            for name in (*folders, *files):
                if os.stat(name, dir_fd=place, follow_symlinks=False).st_uid == before:
                    os.chown(name, wanted.pw_uid, wanted.pw_gid, dir_fd=place, follow_symlinks=False)
        os.chown(directory, wanted.pw_uid, wanted.pw_gid)
    except OSError as error:
        raise Trouble(f"{directory} cannot be given to {account}: {error}") from error
