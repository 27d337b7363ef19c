"""Suspends triggers whose conditions cannot be evaluated. They match nothing, so the administrators must be told."""

from collections.abc import Callable
from datetime import datetime, timedelta

from services.routing.matches.suspension import suspend_now
from shared.automation.rules import Rules
from shared.contracts.parts import RuleRef
from shared.eventstore.store import Store, utc_now

PATIENCE = timedelta(minutes=1)
"""So long a condition may name what is not known here: a calendar may arrive after the trigger that names it."""


class UnusableTriggers:
    """`rules` returns the newest triggers."""

    def __init__(self, store: Store, rules: Callable[[], Rules]) -> None:
        self.store, self.rules = store, rules
        self.patience = PATIENCE
        self._since: dict[RuleRef, datetime] = {}
        self._suspended = set[RuleRef]()

    async def suspend(self) -> None:
        """Suspends those that have been unusable for so long, each once."""
        unusable = {each.ref: each.reason for each in self.rules().unusable}
        now = utc_now()
        self._since = {ref: self._since.get(ref, now) for ref in unusable}
        for ref, since in self._since.items():
            if ref not in self._suspended and now - since >= self.patience:
                await suspend_now(self.store, ref, unusable[ref])
                self._suspended.add(ref)
