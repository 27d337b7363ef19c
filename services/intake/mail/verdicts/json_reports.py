"""Reads delivery reports in JSON: those of Amazon's SES, alone or inside a notification of SNS.

Other JSON is not a report: a person or a monitoring system sent it.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

LONGEST_JSON = 256 * 1024
MOST_RECIPIENTS = 50

_DECODER = json.JSONDecoder(strict=False)
_LINE_BREAK = re.compile(r"\n[ \t]?")
_KIND = re.compile(r"\s*\{\s*\"(?:notificationType|eventType)\"\s*:\s*\"(Bounce|Complaint|Delivery)\"")
_RECIPIENT = re.compile(r"\{[^{}]{0,2000}\"emailAddress\"[^{}]{0,2000}\}")
_PERMANENT = re.compile(r"\"bounceType\"\s*:\s*\"Permanent\"")
_SAYS_DEAD = ("noemail", "suppressed", "onaccountsuppressionlist")
_NOT_DEAD = ("mailboxfull", "messagetoolarge", "contentrejected", "attachmentrejected")


@dataclass(frozen=True, slots=True)
class JsonRecipient:
    """One address that a mail did not reach. `dead` is the service's own verdict; None if only the server's words can
    tell."""

    address: str
    status: str
    words: str
    dead: bool | None


@dataclass(frozen=True, slots=True)
class JsonReport:
    kind: Literal["failure", "delay", "delivered", "complaint"]
    recipients: tuple[JsonRecipient, ...] = ()
    original_ids: tuple[str, ...] = ()


def read_json_report(text: str) -> JsonReport | None:
    """The report in a mail's text, if any. Text after the JSON, such as SNS's footer, is ignored."""
    told = _object(text) or _broken(text)
    if isinstance(told.get("Message"), str) and told.get("Type") == "Notification":
        told = _object(told["Message"])
    kind = told.get("notificationType") or told.get("eventType")
    match kind:
        case "Bounce":
            return _report("failure", told, _inner(told, "bounce"), "bouncedRecipients")
        case "DeliveryDelay":
            return _report("delay", told, _inner(told, "deliveryDelay"), "delayedRecipients")
        case "Delivery":
            return _report("delivered", told, {}, "")
        case "Complaint":
            return _report("complaint", told, {}, "")
        case _:
            return None


def _report(
    kind: Literal["failure", "delay", "delivered", "complaint"], told: dict[str, Any], about: dict[str, Any], key: str
) -> JsonReport | None:
    if not isinstance(told.get("mail"), dict):
        return None
    recipients = [each for each in _list(about, key)[:MOST_RECIPIENTS] if isinstance(each, dict)]
    permanent, reason = _text(about, "bounceType") == "Permanent", _text(about, "bounceSubType").lower()
    found: list[JsonRecipient] = []
    for each in recipients:
        words = _text(each, "diagnosticCode")
        dead: bool | None = None
        if not permanent or reason in _NOT_DEAD:
            dead = False
        elif reason in _SAYS_DEAD or not words:
            dead = True
        found.append(JsonRecipient(_text(each, "emailAddress"), _text(each, "status"), words, dead))
    return JsonReport(kind, tuple(found), tuple(_original_ids(_inner(told, "mail"))))


def _original_ids(mail: dict[str, Any]) -> list[str]:
    """The Message-ID of the mail; SES's own is another."""
    headers = [each for each in _list(mail, "headers") if isinstance(each, dict)]
    named = [_text(each, "value") for each in headers if _text(each, "name").lower() == "message-id"]
    return [each for each in (*named, _text(_inner(mail, "commonHeaders"), "messageId")) if each.startswith("<")][:1]


def _object(text: str) -> dict[str, Any]:
    """The JSON object with which a text begins; empty if there is none."""
    beginning = text[:LONGEST_JSON].lstrip()
    if not beginning.startswith("{"):
        return {}
    for written in (beginning, _LINE_BREAK.sub("", beginning)):
        try:
            found, _ = _DECODER.raw_decode(written)
        except (ValueError, RecursionError):
            continue
        return found if isinstance(found, dict) else {}
    return {}


def _broken(text: str) -> dict[str, Any]:
    """What can be read of a notification if a mail server has cut its long line."""
    kind = _KIND.match(text[:LONGEST_JSON])
    if kind is None:
        return {}
    recipients = [_object(each) for each in _RECIPIENT.findall(text[:LONGEST_JSON])[:MOST_RECIPIENTS]]
    about = {
        "bounceType": "Permanent" if _PERMANENT.search(text[:LONGEST_JSON]) else "",
        "bouncedRecipients": recipients,
    }
    return {"notificationType": kind.group(1), "bounce": about, "mail": {}}


def _inner(told: dict[str, Any], key: str) -> dict[str, Any]:
    value = told.get(key)
    return value if isinstance(value, dict) else {}


def _list(told: dict[str, Any], key: str) -> list[Any]:
    value = told.get(key)
    return value if isinstance(value, list) else []


def _text(told: dict[str, Any], key: str) -> str:
    value = told.get(key)
    return value[:2_000] if isinstance(value, str) else ""
