"""Prometheus metrics of a process. Define them at module level with `counter`, `gauge`, `histogram`; `/metrics` shows them all."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

REGISTRY = CollectorRegistry(auto_describe=True)
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets for durations of requests and batches."""


def counter(name: str, description: str, labels: Sequence[str] = ()) -> Counter:
    """A count that only grows; `_total` is added to the name in the exposition. Names start with `ledgerdesk_`."""
    return Counter(name, description, labels, registry=REGISTRY)


def gauge(name: str, description: str, labels: Sequence[str] = ()) -> Gauge:
    """A value that goes up and down."""
    return Gauge(name, description, labels, registry=REGISTRY)


def histogram(name: str, description: str, labels: Sequence[str] = (), buckets: Sequence[float] = SECONDS) -> Histogram:
    """A distribution, of seconds unless the buckets say otherwise."""
    return Histogram(name, description, labels, registry=REGISTRY, buckets=buckets)


def exposition() -> bytes:
    """All metrics in the Prometheus text format."""
    return generate_latest(REGISTRY)
