"""The mailbox to which an address delivers. Several addresses may lead to one mailbox; limits for a mailbox must count
them together."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Provider:
    """How a provider reads addresses: the character before a tag, the characters that it ignores, and the main one of
    its domains."""

    tag: str = "+"
    ignored: str = ""
    domain: str | None = None


_DASHED = Provider(tag="-")
_PROTON = Provider(ignored=".-_", domain="proton.me")
_PROVIDERS = {
    "gmail.com": Provider(ignored="."),
    "googlemail.com": Provider(ignored=".", domain="gmail.com"),
    "proton.me": _PROTON,
    "protonmail.com": _PROTON,
    "pm.me": _PROTON,
    "yahoo.com": _DASHED,
    "ymail.com": _DASHED,
    "rocketmail.com": _DASHED,
    "aol.com": _DASHED,
    "me.com": Provider(domain="icloud.com"),
    "mac.com": Provider(domain="icloud.com"),
}
"""What these providers document. At any other domain only the text after a plus sign is a tag (RFC 5233)."""
_DEFAULT = Provider()
_YANDEX = ("yandex.", "ya.ru")
_BY_SUBDOMAIN = ("fastmail.com", "fastmail.fm")
"""There, `anything@kim.fastmail.com` is the mailbox `kim@fastmail.com`."""


def delivery_mailbox(email: str) -> str:
    """The mailbox of an address in lower case, as far as its spelling tells; empty if it is not an address."""
    local, at, domain = email.rpartition("@")
    if not at:
        return ""
    for parent in _BY_SUBDOMAIN:
        if domain.endswith(f".{parent}"):
            return f"{domain.removesuffix(f'.{parent}').rpartition('.')[2]}@{parent}"
    if domain.startswith(_YANDEX):
        return f"{local.partition('+')[0].replace('.', '-')}@yandex.ru"
    provider = _PROVIDERS.get(domain, _DASHED if domain.startswith("yahoo.") else _DEFAULT)
    name = local.partition("+")[0]
    if provider.tag != "+":
        name = name.partition(provider.tag)[0]
    plain = "".join(letter for letter in name if letter not in provider.ignored)
    return f"{plain or local}@{provider.domain or domain}"
