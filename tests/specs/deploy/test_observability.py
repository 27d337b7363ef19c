"""Every metric that dashboards and alerts use is one that a process exposes."""

import importlib
import json
import re
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from deploy.docker.volumes import SERVICES
from deploy.local.home import CHECKOUT

HERE = CHECKOUT / "deploy" / "observability"
NOT_OURS = {"up"}
FILES = sorted([*HERE.glob("grafana/dashboards/ledgerdesk-*.json"), HERE / "alerts.yml"])
TICKETS = HERE / "grafana" / "dashboards" / "tickets.json"
"""The dashboard over the views for analysts; tests/services/reporting/test_analytics.py runs its queries."""


def shown() -> set[str]:
    for service in SERVICES:
        importlib.import_module(f"services.{service}.app")
    names: set[str] = set()
    for family in REGISTRY.collect():
        if family.type == "histogram":
            names |= {f"{family.name}_{end}" for end in ("bucket", "count", "sum")}
        else:
            names.add(f"{family.name}_total" if family.type == "counter" else family.name)
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_metric_of_dashboards_and_alerts_exists(path: Path) -> None:
    text = path.read_text("utf-8")
    asked = set(re.findall(r"\b(?:ledgerdesk|process)_[a-z_]+", text)) - {"ledgerdesk_flow"}
    assert asked and asked <= shown()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_runbook_that_is_named_exists(path: Path) -> None:
    for page in re.findall(r"docs/[a-z/-]+\.md", path.read_text("utf-8")):
        assert (CHECKOUT / page).is_file(), page


def test_dashboards_use_the_data_source_that_is_provisioned() -> None:
    provisioned = re.search(
        r"uid: (\w+)", (HERE / "grafana/provisioning/datasources/prometheus.yml").read_text("utf-8")
    )
    for path in HERE.glob("grafana/dashboards/ledgerdesk-*.json"):
        board = json.loads(path.read_text("utf-8"))
        assert provisioned and {panel["datasource"]["uid"] for panel in board["panels"]} == {provisioned[1]}
    of_analysts = re.search(r"uid: (\w+)", (HERE / "grafana/provisioning/datasources/analytics.yml").read_text("utf-8"))
    tickets = json.loads(TICKETS.read_text("utf-8"))
    assert of_analysts and {panel["datasource"]["uid"] for panel in tickets["panels"]} == {of_analysts[1]}


COMPOSE = (CHECKOUT / "docker-compose.yml").read_text("utf-8")


def test_prometheus_scrapes_the_metrics_ports_and_none_is_published() -> None:
    shown_at = re.search(r"LEDGERDESK_METRICS_LISTEN: 0\.0\.0\.0:(\d+)", COMPOSE)
    asked = re.search(r"port: (\d+)", (HERE / "prometheus.yml").read_text("utf-8"))
    assert shown_at and asked and shown_at[1] == asked[1]
    published = re.findall(r"^ *(?:- |ports: \[)\"\$\{(\w+):-127\.0\.0\.1\}:[^\"]*:(\d+)\"", COMPOSE, re.MULTILINE)
    assert shown_at[1] not in {port for _, port in published}
    assert shown_at[1] not in (CHECKOUT / "deploy/docker/front.conf").read_text("utf-8")
    assert {port: variable for variable, port in published} == {
        "8080": "LEDGERDESK_BIND",
        "2424": "LEDGERDESK_LMTP_BIND",
        "9090": "LEDGERDESK_PROMETHEUS_BIND",
        "3000": "LEDGERDESK_BIND",
    }
