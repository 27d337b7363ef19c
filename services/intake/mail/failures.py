"""Whether a server's words say that an address is dead, or only that this mail did not get through this time.

Dead is an address whose user or host is unknown, that has moved, or that takes no mail at all: writing to it again is useless.
"""

import re

_FULL = re.compile(
    r"quota|(?:mail|in|message )?box[^.]{0,40}\b(?:full|exceed)|exceeded? .{0,30}storage|storage (?:limit|allocation|space)|insufficient"
    r"|(?:disk|mailbox|account|user) (?:space|size|is) (?:full|exceed|over)|mailbox size|is full\b|file too big|out of (?:disk )?space"
    r"|too many messages in (?:the )?mailbox|容量|переполнен|plein|voll\b"
)
_SPAM_OR_POLICY = re.compile(
    r"\bspam|unsolicited|black ?list|block ?list|dnsbl|\brbl\b|spamhaus|reputation|virus|malware|infected|\bspf\b|\bdkim|dmarc"
    r"|relay(?:ing)? (?:access )?(?:is )?(?:denied|not (?:permitted|allowed))|relaying|not permitted to relay|reverse dns|\bptr\b|\brdns\b"
    r"|too (?:big|large)|size (?:exceed|limit)|exceeds? .{0,30}(?:size|limit)|rate limit|too many (?:connections|recipients|messages)"
    r"|mail loop|loops? back|hop count|too many hops|client host rejected|authentication (?:required|failed)"
)
_UNKNOWN = re.compile(
    r"(?:user|users|recipient|mailbox|address|account|addressee|login|name|person)(?: name)?\W{1,3}(?:is |was |are )?"
    r"(?:unknown|not (?:a )?(?:found|known|recognized|recognised|exist|listed)|invalid|does ?n[o']t exist)"
    r"|(?:unknown|invalid|illegal|bad|nonexistent|non-existent|no such|undefined)(?: or (?:illegal|invalid|non-existent))?"
    r" (?:local )?(?:e-?mail )?(?:user|recipient|mailbox|address|account|alias|person|addressee|local[- ]?part|destination (?:mailbox )?address)"
    r"|(?:no|not an?) (?:such )?(?:\w+ )?(?:user|mailbox|recipient|account|person|customer|valid (?:user|mailbox|recipient|account|address))\b"
    r"(?! (?:name )?(?:quota|full|space))"
    r"|does ?n[o']t (?:exist|have an? .{0,60}account|have a .{0,60}mailbox)|isn't (?:a )?(?:valid|known)|no longer (?:valid|exists?|available|with|works)"
    r"|not (?:listed|found) in (?:the )?(?:public|domino|name|address|recipient|directory)|recipnotfound|recipientnotfound|not our customer"
    r"|unrouteable address|unknown to (?:this|the) (?:host|system)|could not be found|couldn't be found|wasn't found at|cannot be found"
    r"|не существует|не найден|неизвестн|見つかりません|存在しません|不存在|gibt es nicht|unbekannt|n'existe pas|inconnu|no existe|não existe|non esiste|bestaat niet|okänd|ukjent"
    r"|recipient address rejected(?:: access denied|\.?\s*\Z)"
    r"|this account (?:has been|is) (?:deleted|closed|terminated|cancell?ed)|account (?:deleted|closed)|user has left|has left the company"
)
_HOST = re.compile(
    r"(?:host|domain|name|domain name|destination)(?: name)?\W{1,3}(?:is |was )?(?:unknown|not found|invalid|does ?n[o']t exist)"
    r"|(?:unknown|no such|invalid|illegal|bad) (?:destination )?(?:mail )?(?:host|domain|system|server)|nxdomain|non-existent (?:host|domain)"
    r"|unrouteable (?:mail )?domain|all relevant mx records point to non-existent|find any host (?:named|by that name)|host or domain name not found"
    r"|name (?:service error|or service not known)|domain .{0,80}(?:does ?n[o']t exist|could ?n[o']t be found|not found|is not set up)"
    r"|cannot (?:find|resolve) .{0,40}(?:host|domain|mx|exchanger|address)|no (?:mx|a) records?|couldn't find any"
)
_MOVED = re.compile(
    r"(?:user|recipient|account|mailbox|address|has|have)\b.{0,60}\b(?:has |have )?(?:moved|relocated|changed (?:address|e-?mail))|new address is"
)
_TAKES_NONE = re.compile(
    r"does ?n[o']t accept (?:any )?(?:e-?)?mail|null ?mx|no (?:smtp|mail) service|not accept(?:ing)? (?:any )?(?:e-?)?mail (?:from any|for (?:this )?domain)"
    r"|domain .{0,40}does ?n[o']t (?:accept|receive)|mail receiving disabled|name server .{0,20}(?:no|did not return) mx|smtp protocol returned a permanent error"
)
_NOT_NOW = re.compile(
    r"timed? ?out|connection (?:refused|reset|dropped|lost|closed)|could not connect|unable to connect|wasn't able to establish|no route to host"
    r"|unreachable|try again|retry|deferred|delayed|too old|in the queue too long|queued too long|expired|retries? (?:timeout|exceeded)|for \d+ (?:hours|days)"
    r"|temporar(?:y|ily)|suspend|disabled|inactive|deactivated|not active|access denied|policy|denied by|blocked|rejected by|refused"
    r"|permission|authori[sz]ed|prohibited|restrict|sender (?:address|domain|verify)|bad sender|content"
)  # fmt: skip

_OF_THE_SENDER = re.compile(
    r"domain of sender|sender address|sender (?:domain|verify|rejected)|bad sender|from address"
)
_TRY_AGAIN = re.compile(r"try again(?! later to)|temporar(?:y|ily)|will be retried")
_DEAD = ("5.1.1", "5.1.2", "5.1.6", "5.1.10")
_PERHAPS_DEAD = ("5.1.0", "5.1.3", "5.4.4")
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_REPLY = re.compile(r"(?:^|[\s#(:;])([245]\d\d)(?=[\s-])")


def status_of(words: str) -> str:
    """The enhanced status code (RFC 3463) in a server's words, or empty."""
    found = _STATUS.search(words)
    return found.group() if found else ""


def is_dead(words: str, status: str, action: str = "failed", *, after_data: bool = False) -> bool:
    """Whether a server's words and its status code say that the address itself is dead.

    `after_data`: they were said of the whole mail, after the address had been accepted, which is what filters do.
    """
    if action in ("delayed", "delivered", "relayed", "expanded"):
        return False
    said = re.sub(r"\s+", " ", words[:4_000]).lower()
    if status in ("5.2.2", "4.2.2", "5.1.7", "5.1.8"):
        return False
    if any(pattern.search(said) for pattern in (_FULL, _SPAM_OR_POLICY, _OF_THE_SENDER, _TRY_AGAIN)):
        return False
    if status in _DEAD:
        return True
    if any(pattern.search(said) for pattern in (_UNKNOWN, _HOST, _MOVED, _TAKES_NONE)):
        return not after_data
    return status in _PERHAPS_DEAD and not _NOT_NOW.search(said)
