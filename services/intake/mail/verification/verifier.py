"""Verifies senders in worker processes. A failure there never rejects a mail: its sender is then unknown."""

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from prometheus_client import Counter

from services.intake.mail.errors import raised_at
from services.intake.mail.verification.authentication_results import Authentication
from services.intake.mail.verification.sender_check import SenderEvidence
from services.intake.mail.verification.worker import EVIDENCE, REQUEST, RESPONSE, RESULT, SETTINGS

log = logging.getLogger(__name__)

VERIFIED = Counter(
    "ledgerdesk_senders_verified", "Mails whose senders were verified here, by what came out", ["outcome"]
)

MOST_WORKERS = 4
MOST_PROCESSOR_SECONDS = 3.0
MOST_SECONDS = 8.0
"""Of wall time, for one mail; its DNS queries end after half of it."""
MOST_WAIT = 2.0
"""Seconds to wait for a free worker."""
SILENCES = 3
PAUSE_SECONDS = 30.0
"""The pause after the DNS was silent SILENCES times in a row, so that not every mail waits for it."""
_ROOT = Path(__file__).resolve().parents[4]


class Verifier:
    """`nameservers`: `address` or `address:port`, empty: those of the machine; `sealers`: domains whose ARC seals are
    trusted."""

    def __init__(
        self,
        nameservers: Sequence[str] = (),
        sealers: Collection[str] = (),
        *,
        processor_seconds: float = MOST_PROCESSOR_SECONDS,
        seconds: float = MOST_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = SETTINGS.dump_json({"nameservers": list(nameservers), "sealers": sorted(sealers)}).decode()
        self._processor_seconds, self._seconds, self._clock = processor_seconds, seconds, clock
        self._free = asyncio.Semaphore(MOST_WORKERS)
        self._idle: list[asyncio.subprocess.Process] = []
        self._all: set[asyncio.subprocess.Process] = set()
        self._silences = 0
        self._paused_until = float("-inf")

    async def verify(self, raw: bytes, question: SenderEvidence) -> Authentication:
        """The result; `unknown` with the reason if nothing was found out."""
        if self._clock() < self._paused_until:
            return _unknown("paused", "the DNS does not answer")
        try:
            async with asyncio.timeout(MOST_WAIT):
                await self._free.acquire()
        except TimeoutError:
            return _unknown("busy", "too many mails at once")
        try:
            return await self._verify(raw, question)
        finally:
            self._free.release()

    async def _verify(self, raw: bytes, question: SenderEvidence) -> Authentication:
        try:
            worker = self._idle.pop() if self._idle else await self._start()
        except OSError as error:
            log.error("no worker can be started to verify a sender: %s", error)
            return _unknown("failed", "no worker could be started")
        done = False
        try:
            async with asyncio.timeout(self._seconds):
                result, silent = await _ask(worker, raw, question, self._processor_seconds)
            done = True
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            log.warning(
                "the sender of a mail of %d bytes was not verified: its worker took too long, or died", len(raw)
            )
            return _unknown("failed", "it took too long")
        except Exception as error:  # a worker that died while idle, or gives nonsense, is no reason to refuse a mail
            log.error("the sender of a mail was not verified: %s in %s", type(error).__name__, raised_at(error))
            return _unknown("failed", "its worker failed")
        finally:
            if done:
                self._idle.append(worker)
            else:
                # Also if the caller was cancelled: this worker's result must not be taken for that of another mail.
                self._all.discard(worker)
                await asyncio.shield(_end(worker))
        self._note_silence(silent)
        VERIFIED.labels(result.sender).inc()
        return result

    def _note_silence(self, silent: bool) -> None:
        self._silences = self._silences + 1 if silent else 0
        if self._silences >= SILENCES:
            log.warning("the DNS is silent: senders are not verified for %d s", PAUSE_SECONDS)
            self._silences, self._paused_until = SILENCES - 1, self._clock() + PAUSE_SECONDS

    async def _start(self) -> asyncio.subprocess.Process:
        worker = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.intake.mail.verification.worker",
            self._settings,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            # Not the service's environment, which has passwords.
            env={"PYTHONPATH": str(_ROOT), "PATH": os.environ.get("PATH", ""), "PYTHONDONTWRITEBYTECODE": "1"},
            cwd=_ROOT,
        )
        self._all.add(worker)
        return worker

    async def close(self) -> None:
        """Ends every worker. No verification may be running."""
        self._idle.clear()
        workers, self._all = self._all, set()
        await asyncio.gather(*map(_end, workers))


async def _ask(
    worker: asyncio.subprocess.Process, raw: bytes, question: SenderEvidence, processor_seconds: float
) -> tuple[Authentication, bool]:
    into, out = worker.stdin, worker.stdout
    assert into is not None
    assert out is not None
    told = EVIDENCE.dump_json(question)
    into.write(REQUEST.pack(len(told), len(raw), int(processor_seconds * 1000)) + told)
    into.write(raw)
    await into.drain()
    length, silent = RESPONSE.unpack(await out.readexactly(RESPONSE.size))
    return RESULT.validate_json(await out.readexactly(length)), silent


async def _end(worker: asyncio.subprocess.Process) -> None:
    if worker.returncode is None:
        try:
            worker.send_signal(signal.SIGKILL)
        except ProcessLookupError:
            pass
    await worker.wait()


def _unknown(outcome: str, why: str) -> Authentication:
    VERIFIED.labels(outcome).inc()
    return Authentication("unknown", (f"not verified: {why}",))
