"""A process: it starts when its database is late, survives failing tasks, and drains on SIGTERM."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from deploy.local.ports import free_ports

ROOT = Path(__file__).parents[3]


class Running:
    """The process, after it has logged that it listens."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process, self.port = process, port

    def ask(self, path: str, **headers: str) -> tuple[int, Any]:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(link):
            link.request("GET", path, headers=headers)
            answer = link.getresponse()
            return answer.status, json.loads(answer.read())

    def raw(self, *parts: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as link:
            for part in parts:
                with contextlib.suppress(ConnectionError):  # refused before everything was sent
                    link.sendall(part)
            answer = b""
            with contextlib.suppress(ConnectionError):
                while piece := link.recv(65536):
                    answer += piece
            return answer


def start(port: int, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.http.process_under_test"],
        cwd=ROOT,
        env={**os.environ, "LEDGERDESK_LISTEN": f"127.0.0.1:{port}", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextlib.contextmanager
def running(**environment: str) -> Iterator[Running]:
    (port,) = free_ports(1)
    process = start(port, **environment)
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "listens on" in json.loads(line)["message"]:
                break
        else:
            pytest.fail("it ended before it listened")
        yield Running(process, port)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_requests_end_beside_the_server_of_metrics(number: signal.Signals) -> None:
    (monitors,) = free_ports(1)
    with running(LEDGERDESK_METRICS_LISTEN=f"127.0.0.1:{monitors}") as it, ThreadPoolExecutor() as pool:
        waiting = pool.submit(it.ask, "/wait-until-metrics-are-gone")
        assert it.ask("/started")[0] == 200
        it.process.send_signal(number)
        assert waiting.result() == (200, {"waited": True})
        assert it.process.wait() == 0


def test_sigterm_finishes_requests_then_cancels_tasks_then_closes() -> None:
    with running() as it, ThreadPoolExecutor() as pool:
        waiting = pool.submit(it.ask, "/wait")
        assert it.ask("/started")[0] == 200
        it.process.send_signal(signal.SIGTERM)
        assert waiting.result(timeout=20) == (200, {"waited": True})
        out, err = it.process.communicate(timeout=20)
        assert it.process.returncode == 0, err
        assert out.splitlines() == ["worker cancelled", "closed"]
        assert "Traceback" not in err


def test_a_failing_task_is_started_again_and_logged() -> None:
    with running(LEDGERDESK_TEST_PROCESS="failing-worker") as it:
        while it.ask("/runs") != (200, {"runs": 2}):
            pass
        assert it.ask("/livez")[1]["checks"]["worker"] == "ok"
        it.process.send_signal(signal.SIGTERM)
        assert it.process.stderr is not None  # `communicate` would miss buffered lines
        assert "the first run fails" in it.process.stderr.read()


def test_a_task_that_has_ended_makes_the_process_not_live() -> None:
    with running(LEDGERDESK_TEST_PROCESS="gives-up") as it:
        while it.ask("/livez")[0] != 503:
            pass
        assert it.ask("/livez")[1]["checks"] == {"worker": "has ended", "let-go": "ok"}


def test_a_task_without_progress_makes_the_process_not_live() -> None:
    with running(LEDGERDESK_TEST_PROCESS="silent-worker") as it:
        status, told = it.ask("/livez")
        assert status == 503 and told["checks"]["worker"].startswith("no heartbeat for 6")


def test_metrics_have_a_port_of_their_own() -> None:
    (monitors,) = free_ports(1)
    with running(LEDGERDESK_METRICS_LISTEN=f"127.0.0.1:{monitors}") as it:
        assert it.ask("/metrics")[0] == 404
        link = http.client.HTTPConnection("127.0.0.1", monitors, timeout=20)
        with contextlib.closing(link):
            link.request("GET", "/metrics")
            answer = link.getresponse()
            assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain")
            assert b"ledgerdesk_http_request_seconds" in answer.read()
        it.process.send_signal(signal.SIGTERM)
        assert it.process.wait(20) == 0


def test_a_late_database_is_waited_for() -> None:
    with running(LEDGERDESK_TEST_PROCESS="late-database") as it:
        assert it.ask("/readyz")[0] == 200


@pytest.mark.parametrize("listen", ["nonsense", "127.0.0.1:x", "127.0.0.1:99999", "192.0.2.1:1"])
def test_an_unusable_address_is_reported_in_one_line(listen: str) -> None:
    process = start(0, LEDGERDESK_LISTEN=listen)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    (line,) = err.splitlines()
    assert "cannot start" in json.loads(line)["message"]


def test_a_port_in_use_is_reported() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start(taken.getsockname()[1])
        assert "in use" in process.communicate(timeout=20)[1]
        assert process.returncode == 1


def test_invalid_http_gets_a_problem_document_and_does_no_harm() -> None:
    with running() as it:
        for garbage in (
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: here\r\nContent-Length: x\r\n\r\n",
            b"\x00\xff\x16\x03\x01\r\n\r\n",
        ):
            answer = it.raw(garbage)
            assert answer.startswith(b"HTTP/1.1 400 "), answer
            assert b"application/problem+json" in answer
        assert it.raw(b"GET / HTTP/1.1\r\n", *[b"x-a: " + b"y" * 8000 + b"\r\n"] * 20)[:12] in (b"HTTP/1.1 431", b"")
        assert it.ask("/livez")[0] == 200
