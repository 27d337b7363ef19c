"""Microseconds to sign and to check an identity: `python -m tests.bench.identity`. Uses one core."""

import hashlib
import hmac
import time
from collections.abc import Callable
from itertools import count
from uuid import UUID

from shared.http.identity import IdentityVerifier, sign, verify
from shared.rules.access import Identity
from shared.testing.keys import KEYS, SIGNING

SECONDS = 1.0
KARI = Identity(
    person_id=UUID(int=7), kind="agent", login="kari", name="Kari", email="kari@help.example.org", roles=("agent",)
)


def microseconds(work: Callable[[], object]) -> float:
    """The mean of as many calls as fit into a second."""
    end, done, started = time.perf_counter() + SECONDS, 0, time.perf_counter()
    while time.perf_counter() < end:
        for _ in range(50):
            work()
        done += 50
    return (time.perf_counter() - started) / done * 1e6


def main() -> None:
    header = sign(KARI, "routing", SIGNING)
    payload = header.partition(".")[0].encode()
    known, numbers = IdentityVerifier(KEYS.gateway, "routing"), count()
    costs = {
        "signed by the gateway (once in 20 s for a session and service)": lambda: sign(KARI, "routing", SIGNING),
        "checked for the first time": lambda: verify(header, "routing", KEYS.gateway),
        "checked again": lambda: known.verify(header),
        "an HMAC of the same, for comparison": lambda: hmac.digest(SIGNING.text.encode(), payload, hashlib.sha256),
        "a hash of it, the floor": lambda: hashlib.sha256(payload + b"%d" % next(numbers)).digest(),
    }
    told = {name: microseconds(work) for name, work in costs.items()}
    for name, cost in told.items():
        print(f"{name:64}{cost:10.2f} us")
    once, again = told["checked for the first time"], told["checked again"]
    print(f"a session with one request a second: {(once + 19 * again) / 20:.2f} us each")


if __name__ == "__main__":
    main()
