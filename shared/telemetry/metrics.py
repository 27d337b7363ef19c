"""Prometheus metrics of a process. Modules define theirs with prometheus_client; `/metrics` shows all of them.

Names start with `ledgerdesk_`. Labels have few values (never a ticket, a person or a path).
"""

from prometheus_client import REGISTRY
from prometheus_client.exposition import generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets for durations of requests and batches."""


def exposition() -> bytes:
    """All metrics in the Prometheus text format."""
    return generate_latest(REGISTRY)
