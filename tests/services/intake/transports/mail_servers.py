"""Real mail servers before a reception, each from a folder of its own and configured with the blocks of
docs/mail/servers.md."""

import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from pwd import getpwnam

from deploy.local.ports import free_ports
from tests.services.intake.reception import ROOT, Reception

GUIDE = ROOT / "docs" / "mail" / "servers.md"
LISTENER = re.compile(r"127\.0\.0\.1:2424|(?<=port = )2424")
DEBIAN = Path("/usr/lib/postfix/sbin")


class NotHere(Exception):
    """The mail server cannot run on this machine; the text says why."""


@dataclass(slots=True)
class MailServer:
    """A running mail server: it takes mails at `port`; mails that it could not deliver yet are in `waiting`."""

    name: str
    port: int
    folder: Path
    waiting: Callable[[], int]
    speaks_utf8: bool = True
    hands_over_once: bool = True
    says_later: str = "refused"
    """The words in its log, in lower case, when nobody listens."""

    def send(self, raw: bytes, *recipients: str, sender: str = "per@customer.example") -> None:
        """Sends a mail by SMTP, as another mail server does; returns when the server has accepted it."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60) as client:
            client.ehlo()
            options = ["BODY=8BITMIME"]
            if not (sender + "".join(recipients)).isascii():
                client.command_encoding = "utf-8"
                options.append("SMTPUTF8")
            client.sendmail(sender, list(recipients), raw, options)

    def log(self) -> str:
        return "\n".join(path.read_text("utf-8", "replace") for path in sorted(self.folder.glob("log/*")))


def documented(block: str, lmtp: int) -> str:
    """A block of the guide, with the port of this listener."""
    found = re.search(rf"^```\w+ {re.escape(block)}\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None, f"{GUIDE} has no block {block!r}"
    return LISTENER.sub(lambda match: match.group().replace("2424", str(lmtp)), found.group(1))


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that the server's own user may enter, unlike pytest's."""
    path = Path(tempfile.mkdtemp(prefix="ledgerdesk-mail-"))
    path.chmod(0o755)
    (path / "log").mkdir()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def postfix(desk: Reception, *, pipe: bool = False) -> Iterator[MailServer]:
    """Debian's Postfix, which delivers by LMTP or, with `pipe`, through the command."""
    if not (DEBIAN / "master").exists() or shutil.which("postfix") is None:
        raise NotHere("Postfix is not installed (Debian: apt-get install postfix)")
    _require_root("Postfix")
    lmtp, (port,) = desk.lmtp[1], free_ports(1)
    with folder() as home:
        etc, queue, data = home / "etc", home / "queue", home / "data"
        for each in (etc, queue, data):
            each.mkdir()
        shutil.chown(data, "postfix")
        blocks = [documented("postfix", lmtp)]
        master = POSTFIX_SERVICES.format(port=port)
        if pipe:
            program = home / "deliver"
            program.write_text(
                documented("pipe program", lmtp)
                .replace("/opt/ledgerdesk", str(ROOT))
                .replace(".venv/bin/python", _python_for("nobody"))
            )
            program.chmod(0o755)
            master += documented("postfix pipe", lmtp).replace("/opt/ledgerdesk/deliver", str(program))
            blocks = [
                re.sub(r"(?m)^(relay_transport|lmtp_dest).*\n", "", blocks[0]),
                documented("postfix pipe main", lmtp),
            ]
        (etc / "main.cf").write_text(POSTFIX_OWN.format(home=home) + "".join(blocks))
        (etc / "master.cf").write_text(master)
        subprocess.run(["postfix", "-c", str(etc), "start"], check=True, capture_output=True, timeout=60)
        try:
            _until_open(port, home)
            waiting = (queue / "deferred", queue / "active", queue / "incoming")
            yield MailServer("postfix", port, home, lambda: sum(_files(each) for each in waiting))
        finally:
            subprocess.run(["postfix", "-c", str(etc), "stop"], check=False, capture_output=True, timeout=60)


POSTFIX_OWN = """
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
mail_owner = postfix
setgid_group = postdrop
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
maillog_file = {home}/log/mail
maillog_file_prefixes = {home}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.help.example
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
default_transport = error:nothing leaves this test
smtpd_relay_restrictions = permit_auth_destination, reject
minimal_backoff_time = 3s
maximal_backoff_time = 3s
queue_run_delay = 1s
"""
"""Postfix allows the clock a second: a mail put off for one may be due before its delivery agent has let go of the
file, and then waits a minute and for the next mail."""
POSTFIX_SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


@contextmanager
def exim(desk: Reception) -> Iterator[MailServer]:
    """Debian's Exim, as the user that it was built for."""
    program = _program("EXIM", "exim4")
    _require_root("Exim")
    user = _user("Debian-exim")
    lmtp, (port,) = desk.lmtp[1], free_ports(1)
    with folder() as home:
        (home / "spool").mkdir()
        for each in (home / "spool", home / "log"):
            shutil.chown(each, user, user)
        blocks = {name: documented(f"exim {name}", lmtp) for name in ("main", "router", "transport", "retry")}
        configuration = home / "exim.conf"
        retry = re.sub(r"F,.*", "F,5d,1s", blocks["retry"])
        configuration.write_text(EXIM_OWN.format(home=home, port=port, user=user, **(blocks | {"retry": retry})))
        command = [program, "-C", str(configuration), "-bdf", "-q1s"]
        with (home / "log" / "out").open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, user=user, group=user, extra_groups=[])
        try:
            _until_open(port, home)
            yield MailServer("exim", port, home, lambda: _files(home / "spool" / "input", "*-H"))
        finally:
            _end(process)


EXIM_OWN = """
exim_user = {user}
exim_group = {user}
spool_directory = {home}/spool
log_file_path = {home}/log/%s
pid_file_path = {home}/exim.pid
primary_hostname = mx.help.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
deliver_drop_privilege = true
domainlist local_domains =
acl_smtp_rcpt = check
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
tls_advertise_hosts =
smtputf8_advertise_hosts = *
{main}
begin acl
check:
  accept domains = help.example
  deny
begin routers
{router}
begin transports
{transport}
begin retry
{retry}
"""


@contextmanager
def opensmtpd(desk: Reception) -> Iterator[MailServer]:
    """Debian's OpenSMTPD. Its queue has one place, which it was built with, so that no other may run."""
    program = _program("OPENSMTPD", "smtpd")
    _require_root("OpenSMTPD")
    for name in ("opensmtpd", "opensmtpq", "nobody"):
        _user(name)
    spool = Path("/var/spool/smtpd")
    if spool.exists() and _files(spool):
        raise NotHere(f"{spool} holds mails of another OpenSMTPD")
    lmtp, (port,) = desk.lmtp[1], free_ports(1)
    with folder() as home:
        configuration = home / "smtpd.conf"
        text = OPENSMTPD_OWN.format(port=port) + documented("opensmtpd", lmtp)
        configuration.write_text(text)
        configuration.chmod(0o600)
        with (home / "log" / "out").open("wb") as out:
            process = subprocess.Popen([program, "-d", "-f", str(configuration)], stdout=out, stderr=out)
        try:
            _until_open(port, home)
            yield MailServer(
                "opensmtpd",
                port,
                home,
                lambda: _files(spool / "queue"),
                speaks_utf8=False,
                hands_over_once=False,
                says_later="tempfail",
            )
        finally:
            _end(process)


OPENSMTPD_OWN = """
listen on 127.0.0.1 port {port} hostname mx.help.example
queue ttl 1d
"""

SERVERS: dict[str, Callable[[Reception], AbstractContextManager[MailServer]]] = {
    "postfix": postfix,
    "exim": exim,
    "opensmtpd": opensmtpd,
}


def _program(name: str, program: str) -> str:
    """Where a server's program is; `LEDGERDESK_TEST_<name>` names one that is not installed."""
    found = os.environ.get(f"LEDGERDESK_TEST_{name}") or shutil.which(program, path="/usr/sbin:/usr/bin:/sbin")
    if found is None or (name == "OPENSMTPD" and "postfix" in str(Path(found).resolve())):
        raise NotHere(f"{program} is not installed, and LEDGERDESK_TEST_{name} names none")
    return found


def _python_for(user: str) -> str:
    """An interpreter that a user without rights may run the command with; the one of these tests may lie in somebody's
    home."""
    for program in (sys.executable, "/usr/bin/python3"):
        try:
            tried = subprocess.run(
                [program, "-m", "services.intake", "deliver", "-h"], cwd=ROOT, user=user, capture_output=True
            )
        except OSError:
            continue
        if tried.returncode == 0:
            return program
    raise NotHere(f"{user} can run no Python with the command")


def _require_root(name: str) -> None:
    if os.geteuid() != 0:
        raise NotHere(f"{name} can only be started by root")


def _user(name: str) -> str:
    try:
        return getpwnam(name).pw_name
    except KeyError:
        raise NotHere(f"there is no user {name}") from None


def _until_open(port: int, home: Path) -> None:
    def answers() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
                return probe.recv(4) == b"220 "
        except OSError:
            return False

    try:
        Reception.until(answers)
    except AssertionError:
        logs = [path.read_text("utf-8", "replace") for path in sorted(home.glob("log/*"))]
        raise AssertionError("\n".join(logs)) from None


def _files(place: Path, pattern: str = "*") -> int:
    return sum(1 for path in place.rglob(pattern) if path.is_file()) if place.is_dir() else 0


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
