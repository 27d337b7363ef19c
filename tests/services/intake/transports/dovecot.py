"""The real Dovecot from Debian, on ports and a folder of its own, as a user without rights. It needs `dovecot-imapd`
and `dovecot-pop3d`."""

import datetime
import grp
import ipaddress
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from imapclient import IMAPClient

from deploy.local.ports import free_ports

USER, WORD = "support", "open sesame"
MISSING = "Dovecot is not on this machine (Debian: dovecot-imapd, dovecot-pop3d)"

CONFIGURATION = """
base_dir = {home}/base
state_dir = {home}/state
log_path = {home}/dovecot.log
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
protocols = imap pop3
listen = 127.0.0.1
ssl = yes
ssl_cert = <{home}/certificate.pem
ssl_key = <{home}/key.pem
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{home}/mail
auth_mechanisms = plain login
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {home}/users
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={home}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
  }}
}}
namespace inbox {{
  inbox = yes
}}
"""


def program() -> str | None:
    """The server's program with both protocols, if it is installed."""
    found = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    protocols = all(Path(f"/usr/lib/dovecot/{name}").exists() for name in ("imap-login", "pop3-login"))
    return found if protocols else None


@dataclass(slots=True)
class Dovecot:
    home: Path
    imap: int
    imaps: int
    pop3: int
    pop3s: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = program()
        assert command is not None
        user = _user()
        self.process = subprocess.Popen(
            [command, "-F", "-c", str(self.home / "dovecot.conf")],
            env={"PATH": os.environ["PATH"]},
            user=user if os.getuid() == 0 else None,
            group=_group(user) if os.getuid() == 0 else None,
            extra_groups=[] if os.getuid() == 0 else None,
        )
        end = time.monotonic() + 30
        while not self._answers():
            assert time.monotonic() < end and self.process.poll() is None, self.log()
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            for port in (self.imap, self.pop3):
                with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
                    if probe.recv(3) not in (b"* O", b"+OK"):
                        return False
        except OSError:
            return False
        return True

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            self.process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def log(self) -> str:
        path = self.home / "dovecot.log"
        return path.read_text() if path.exists() else "no log"

    @property
    def certificate(self) -> Path:
        return self.home / "certificate.pem"

    @contextmanager
    def client(self, folder: str = "INBOX") -> Iterator[IMAPClient]:
        """Another program that reads the same mailbox."""
        client = IMAPClient("127.0.0.1", self.imap, ssl=False, timeout=30)
        try:
            client.login(USER, WORD)
            client.select_folder(folder)
            yield client
        finally:
            client.logout()

    def put(self, *mails: bytes, folder: str = "INBOX", seen: bool = False) -> None:
        """Delivers mails to the mailbox."""
        with self.client() as client:
            for raw in mails:
                client.append(folder, raw, (b"\\Seen",) if seen else ())

    def flags(self, folder: str = "INBOX") -> list[tuple[bytes, ...]]:
        """The flags of the mails in a folder, without those of the session."""
        with self.client(folder) as client:
            found = client.get_flags(client.search())
            return [tuple(f for f in found[uid] if f != b"\\Recent") for uid in sorted(found)]


def _user() -> str:
    return "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name


def _group(user: str) -> str:
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


@contextmanager
def dovecot(home: Path) -> Iterator[Dovecot]:
    """A running server with one empty mailbox; `home` is a new folder to which its user has access."""
    home.mkdir(mode=0o755)
    user = _user()
    imap, imaps, pop3, pop3s = free_ports(4)
    server = Dovecot(home, imap, imaps, pop3, pop3s)
    (home / "users").write_text(f"{USER}:{{PLAIN}}{WORD}\n")
    _certify(home)
    ports = {"imap": server.imap, "imaps": server.imaps, "pop3": server.pop3, "pop3s": server.pop3s}
    (home / "dovecot.conf").write_text(CONFIGURATION.format(home=home, user=user, group=_group(user), **ports))
    if os.getuid() == 0:
        for path in (home, *home.iterdir()):
            shutil.chown(path, user, _group(user))
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _certify(home: Path) -> None:
    """A self-signed certificate for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (home / "certificate.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (home / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
