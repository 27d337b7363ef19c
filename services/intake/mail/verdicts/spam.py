"""Reads the verdict of a spam filter in front of the desk from a mail's header: the fields of rspamd and
SpamAssassin."""

import re
from dataclasses import dataclass

from services.intake.mail.structure.mime import Part

_SCORE = re.compile(r"(?:score=|\[)\s*(-?\d{1,4}(?:\.\d{1,4})?)")
_NUMBER = re.compile(r"\s*(-?\d{1,4}(?:\.\d{1,4})?)")
_YES = re.compile(r"\s*(?:yes|true)\b", re.IGNORECASE)
_ACTIONS = frozenset(("add header", "rewrite subject", "reject", "soft reject", "quarantine"))


@dataclass(frozen=True, slots=True)
class Spam:
    """A filter's verdict; `score` is on the scale of the filter, `source` is the field that has the verdict."""

    is_spam: bool
    score: float | None
    source: str


def spam_verdict(root: Part) -> Spam | None:
    """The verdict in a mail's header; None if there is none.

    Anybody can write these fields. A mail that calls itself spam harms only itself; one that calls itself clean is
    treated like one without a verdict.
    """
    score = _score(root)
    for name in ("x-spam-flag", "x-spam-status", "x-spam", "x-spamd-result", "x-rspamd-action"):
        value = root.get(name)
        if not value:
            continue
        said = (
            value.strip().lower() in _ACTIONS if name == "x-rspamd-action" else bool(_YES.match(_verdict(name, value)))
        )
        if said:
            return Spam(True, score, name)
    named = next((name for name in ("x-spam-status", "x-spamd-result", "x-spam-score") if root.get(name)), None)
    return Spam(False, score, named) if named is not None else None


def _verdict(name: str, value: str) -> str:
    """The part of a value with the verdict: rspamd writes `default: False [1.2 / 15.0]`, others begin with it."""
    return value.partition(":")[2] if name == "x-spamd-result" else value


def _score(root: Part) -> float | None:
    for name, pattern in (("x-spam-status", _SCORE), ("x-spamd-result", _SCORE), ("x-spam-score", _NUMBER)):
        found = pattern.search(root.get(name)[:1_000])
        if found is not None:
            return float(found.group(1))
    return None
