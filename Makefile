# Ledgerdesk: every command of a day. `make help` lists them.
PYTHON ?= python3
VENV := .venv/bin
LOCAL := $(VENV)/python -m deploy.local
COMPILE := $(VENV)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-annotate --no-header --strip-extras --allow-unsafe

.PHONY: help up down status logs demo analyst test check requirements format bench chaos containers-test fuzz clean distclean lock generate install install-dev

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

install:
	@$(PYTHON) deploy/bootstrap.py

install-dev:
	@$(PYTHON) deploy/bootstrap.py --dev

up: install ## install what is needed, start everything, return when it is healthy
	@$(LOCAL) up

down: ## stop everything; the data stays
	@test ! -x $(VENV)/python || $(LOCAL) down

status: ## what runs
	@$(LOCAL) status

logs: ## follow every log
	@$(LOCAL) logs

demo: ## play the main job on the running system and show each step
	@$(LOCAL) demo

analyst: ## how analysts connect to the database
	@$(LOCAL) analyst

test: install-dev ## every test, on a PostgreSQL and a Kafka of its own
	@env -u PYTHONDONTWRITEBYTECODE $(VENV)/python -m pytest --numprocesses 3 --dist loadscope --no-loadscope-reorder # one more than cores: many tests wait

check: install-dev ## format, lint, types, import rules, dead dependencies, secrets, generated files
	@$(VENV)/ruff format --check .
	@$(VENV)/ruff check .
	@$(VENV)/mypy
	@$(VENV)/pyright
	@$(VENV)/lint-imports
	@$(VENV)/deptry services shared deploy
	@cp .secrets.baseline .venv/.secrets.baseline # status 3 says that a known finding has moved to another line: no reason to fail
	@git ls-files -z --cached --others --exclude-standard ':!.secrets.baseline' | xargs -0 sh -c '$(VENV)/detect-secrets-hook --baseline .venv/.secrets.baseline "$$@" || test $$? -eq 3' check
	@$(VENV)/python -m shared.contracts.generate --check
	@$(VENV)/python -m deploy.openapi --check
	@$(VENV)/python -m deploy.ticket_chart --check
	@$(VENV)/python -m deploy.translations --check

format: install-dev ## put the code into its form
	@$(VENV)/ruff format .
	@$(VENV)/ruff check --fix .

generate: install-dev ## write the event schemas, the OpenAPI document, the chart of states and the catalogues again
	@$(VENV)/python -m shared.contracts.generate
	@$(VENV)/python -m deploy.openapi
	@$(VENV)/python -m deploy.ticket_chart
	@$(VENV)/python -m deploy.translations

requirements: install-dev ## every requirement with the tests that prove it
	@$(VENV)/python -m tests.requirements

bench: install-dev ## measure; docs/performance.md tells what
	@$(VENV)/python -m tests.bench
	@$(VENV)/python -m tests.bench.desk
	@$(VENV)/python -m tests.bench.clocks
	@$(VENV)/python -m tests.bench.mail
	@$(VENV)/python -m tests.bench.mail_out
	@$(VENV)/python -m tests.bench.reads

chaos: install-dev ## kill processes under load, then prove that nothing was lost or doubled
	@$(VENV)/python -m tests.chaos

containers-test: install-dev ## build the images, prove the composed system: main job, scaling, kills, backup and restore
	@tests/containers/run $(ARGUMENTS)

fuzz: install-dev ## let a fuzzer look for mails that break their reading, a minute each kind; what it finds is in var/fuzz
	@$(VENV)/python -m tests.fuzz

lock: install-dev ## lock the newest versions of all requirements
	@$(COMPILE) --upgrade -o requirements.lock requirements.in
	@$(COMPILE) --upgrade -o requirements-local.lock requirements-local.in
	@$(COMPILE) --upgrade -o requirements-dev.lock requirements-dev.in
	@$(COMPILE) --upgrade -o deploy/docker/bom.lock deploy/docker/bom.in

clean: ## stop, and remove the instance's data for good
	@test ! -x $(VENV)/python || $(LOCAL) clean

distclean: clean ## remove the installed packages too
	@rm -rf .venv
