"""The arguments of MAIL and RCPT (RFC 5321, 4.1.1)."""

import re

from services.intake.transports.lmtp.limits import LONGEST_PATH

_PATH = re.compile(r"\s*<(?:@[^:<>]*:)?([^<>]*)>(?:\s+(.*))?$", re.DOTALL)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\s=]+))?$")


def parse_path(arguments: str, keyword: str) -> tuple[str, dict[str, str]] | None:
    """The address and the parameters of `MAIL FROM:` or `RCPT TO:`; None if they are not valid. A source route is
    dropped (RFC 5321, 4.1.1.3)."""
    if arguments[: len(keyword)].upper() != keyword:
        return None
    match = _PATH.match(arguments[len(keyword) :])
    if match is None:
        return None
    address = match.group(1).strip()
    if (
        len(address) > LONGEST_PATH
        or any(c < " " or c == "\x7f" for c in address)
        or (address and " " in address.strip('"'))
    ):
        return None
    parameters: dict[str, str] = {}
    for word in (match.group(2) or "").split():
        parameter = _PARAMETER.match(word)
        if parameter is None:
            return None
        parameters[parameter.group(1).upper()] = parameter.group(2) or ""
    return address, parameters
