"""The programs of one instance for the supervisor: PostgreSQL, Kafka, and every service with its environment."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local.home import CHECKOUT, METRICS, SERVICES, Home
from deploy.local.kafka import KafkaServer
from deploy.local.postgres import PostgresServer
from shared.http.keys import public_keys
from shared.messaging.access.authenticity import EventKeys

PASSED_ON = (
    "LEDGERDESK_TIMEZONE",
    "LEDGERDESK_LANGUAGE",
    "LEDGERDESK_LOG_LEVEL",
    "LEDGERDESK_MAIL_DOMAIN",
    "LEDGERDESK_NOTICE_SECONDS",
    "LEDGERDESK_REPLY_TAGS",
    "LEDGERDESK_TRUSTED_AUTHSERV",
    "LEDGERDESK_LMTP_TRUSTED",
    "LEDGERDESK_TICKETS_A_DAY",
    "LEDGERDESK_UPLOAD_MIB_A_DAY",
    "LEDGERDESK_AGENT_TICKETS_A_DAY",
    "LEDGERDESK_AGENT_UPLOAD_MIB_A_DAY",
    "LEDGERDESK_RECEIPTS_A_DAY",
    "LEDGERDESK_ALL_RECEIPTS_A_DAY",
    "LEDGERDESK_VERIFY_SENDERS",
    "LEDGERDESK_TRUSTED_SEALERS",
    "LEDGERDESK_CLAMD",
    "LEDGERDESK_MAILBOX_HOSTS",
    "LEDGERDESK_DKIM_KEYS",
    "LEDGERDESK_DKIM_DOMAIN",
    "LEDGERDESK_SMTP_LIMITS",
    "LEDGERDESK_FAILPOINTS",
)
MARK = "LEDGERDESK_SUPERVISED"
"""Set to the home's path in every process, so that the processes of a killed supervisor can be recognised."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One home with its ports and servers."""

    home: Home
    ports: Mapping[str, int]

    @property
    def postgres(self) -> PostgresServer:
        return PostgresServer(
            self.home.path / "postgres" / "data", self.ports["postgres"], self.home.secret("postgres-password")
        )

    @property
    def kafka(self) -> KafkaServer:
        password = self.home.secret("kafka-admin-password")
        return KafkaServer(self.home.path / "kafka", self.ports["kafka"], self.ports["kafka-controller"], password)

    @property
    def kafka_passwords(self) -> dict[str, str]:
        """Each service's password for Kafka."""
        return {service: self.home.secret(f"{service}-kafka-password") for service in SERVICES}

    @property
    def event_secret(self) -> str:
        """The secret that the services' event keys are derived from."""
        return self.home.secret("event-secret")

    @property
    def gateway_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['gateway']}"

    @property
    def lmtp(self) -> str:
        return f"127.0.0.1:{self.ports['lmtp']}"

    def url_of(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"

    def roles(self, service: str) -> tuple[tuple[str, str], tuple[str, str]]:
        """(name, password) of a database's owner and of the role that the service uses."""
        return (
            (f"{service}_owner", self.home.secret(f"{service}-owner-password")),
            (service, self.home.secret(f"{service}-password")),
        )

    @property
    def analyst(self) -> tuple[str, str, str, str]:
        """The database of analysts, its owner, the role that its service uses, and the password of analysts."""
        owner, app = self.roles("reporting")
        return "reporting", owner[0], app[0], self.home.secret("analyst-password")

    @property
    def analyst_url(self) -> str:
        return self.postgres.url("analyst", self.home.secret("analyst-password"), "reporting")

    def environment(self, service: str) -> dict[str, str]:
        """The whole configuration of one service. Secrets are named by file."""
        owner, app = self.roles(service)
        files = {
            "LEDGERDESK_DATABASE_URL": (f"{service}-database-url", self.postgres.url(*app, service)),
            "LEDGERDESK_DATABASE_OWNER_URL": (f"{service}-owner-url", self.postgres.url(*owner, service)),
            "LEDGERDESK_SERVICE_KEY": (f"{service}-key", None),
            "LEDGERDESK_MAIL_KEY": ("mail-key", None),
            "LEDGERDESK_KAFKA_PASSWORD": (f"{service}-kafka-password", None),
            "LEDGERDESK_EVENT_KEYS": (f"{service}-event-keys", EventKeys.derived(self.event_secret, service).text),
        }
        signing = self.home.secret("identity-signing-key")
        if service == "gateway":
            files["LEDGERDESK_IDENTITY_SIGNING_KEY"] = ("identity-signing-key", None)
        else:
            files["LEDGERDESK_IDENTITY_PUBLIC_KEYS"] = ("identity-public-keys", public_keys(signing))
        made = {name: os.environ[name] for name in os.environ if name in PASSED_ON or name.startswith("OTEL_")}
        for name, (file, value) in files.items():
            self.home.secret(file, value)
            made[f"{name}_FILE"] = str(self.home.secrets / file)
        made |= {
            "LEDGERDESK_KAFKA_BOOTSTRAP": self.kafka.admin.bootstrap,
            "LEDGERDESK_LISTEN": f"127.0.0.1:{self.ports[service]}",
            "LEDGERDESK_METRICS_LISTEN": f"127.0.0.1:{self.ports[METRICS[service]]}",
            "LEDGERDESK_BLOB_URL": (self.home.path / "blobs").as_uri(),
            "LEDGERDESK_REPLICA": "local",
            "PYTHONPATH": str(CHECKOUT),
            "PYTHONUNBUFFERED": "1",
        }
        match service:
            case "gateway":
                made["LEDGERDESK_ADMIN_PASSWORD_FILE"] = str(self.home.admin_password)
                made["LEDGERDESK_PUBLIC_URL"] = os.environ.get("LEDGERDESK_PUBLIC_URL") or self.gateway_url
                made |= {
                    f"LEDGERDESK_{other.upper()}_URL": self.url_of(other) for other in SERVICES if other != "gateway"
                }
            case "intake":
                made["LEDGERDESK_LMTP_LISTEN"] = self.lmtp
                made["LEDGERDESK_SECRETS_DIR"] = str(self.home.mailbox_secrets)
            case "notify":
                made["LEDGERDESK_MAILDIR"] = str(self.home.sent)
                if smtp := os.environ.get("LEDGERDESK_SMTP_URL"):  # it may hold a password
                    self.home.secret("smtp-url", smtp)
                    made["LEDGERDESK_SMTP_URL_FILE"] = str(self.home.secrets / "smtp-url")
            case "reporting":
                made["LEDGERDESK_SEARCH_DIR"] = str(self.home.path / "search")
            case _:
                pass
        return made


def configuration(instance: Instance) -> str:
    """The supervisor's configuration file. It holds no secret: these are in files of their own."""
    home = instance.home
    parts = [
        "[unix_http_server]",
        f"file={_plain(str(home.socket))}",
        "chmod=0600",
        "[supervisord]",
        f"logfile={_plain(str(home.logs / 'supervisord.log'))}",
        "logfile_maxbytes=5MB",
        "logfile_backups=2",
        f"pidfile={_plain(str(home.run / 'supervisord.pid'))}",
        f"directory={_plain(str(CHECKOUT))}",
        "umask=077",
        f"environment={_environment({MARK: str(home.path)})}",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    parts += _program(home, "postgres", instance.postgres.command(), 1, stop="INT", user=instance.postgres.user)
    parts += _program(home, "kafka", instance.kafka.command(), 2, stop="TERM")
    for service in SERVICES:
        command = [sys.executable, "-m", f"services.{service}", "all"]
        parts += _program(home, service, command, 10, environment=instance.environment(service), start=False)
    return "\n".join(parts) + "\n"


def _program(
    home: Home,
    name: str,
    command: list[str],
    priority: int,
    *,
    stop: str = "TERM",
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
    start: bool = True,
) -> list[str]:
    lines = [
        f"[program:{name}]",
        f"command={' '.join(_quoted(part) for part in command)}",
        f"autostart={str(start).lower()}",
        "autorestart=true",
        "startsecs=1",
        "startretries=1000",
        f"stopsignal={stop}",
        "stopwaitsecs=28",
        "killasgroup=true",
        f"priority={priority}",
        "redirect_stderr=true",
        f"stdout_logfile={_plain(str(home.logs / (name + '.log')))}",
        "stdout_logfile_maxbytes=20MB",
        "stdout_logfile_backups=3",
    ]
    if environment:
        lines.append(f"environment={_environment(environment)}")
    if user:
        lines.append(f"user={user}")
        lines.append("directory=/")
    return lines


def _plain(value: str) -> str:
    return value.replace("%", "%%")


def _quoted(value: str) -> str:
    """A word of a command line in the supervisor's configuration: quoted for a shell, with doubled percent signs."""
    return '"' + _plain(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _environment(values: Mapping[str, str]) -> str:
    return ",".join(f"{name}={_quoted(value)}" for name, value in values.items())
