"""What signing a record costs its writer and readers, beside decoding and Ed25519 (docs/decisions/0076).

python -m tests.bench.signing
"""

import time
import timeit
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.contracts.envelope import decode, encode
from shared.contracts.intake import CustomerMessageReceived
from shared.contracts.topics import TICKETS
from shared.messaging.access.authenticity import HEADER, EventKeys
from shared.messaging.consuming.records import RecordReader
from shared.testing.samples import sample_event

TIMES = 10_000


def microseconds(work: Any) -> float:
    return min(timeit.repeat(work, timer=time.process_time, number=TIMES, repeat=7)) / TIMES * 1e6


def main() -> None:
    event = sample_event(CustomerMessageReceived)
    key, value = str(event.stream).encode(), encode(event)
    writer, reader = EventKeys.derived("a secret", "intake"), EventKeys.derived("a secret", "reporting")
    header = writer.sign(TICKETS, key, value)
    records = RecordReader(reader, {TICKETS: SimpleNamespace(producers=None)})
    records.unsigned = {(TICKETS, 0): 1}
    plain, signed = (
        SimpleNamespace(topic=TICKETS, partition=0, offset=0, key=key, value=value, headers=headers)
        for headers in ((), ((HEADER, header),))
    )
    private = Ed25519PrivateKey.generate()
    public, signature = private.public_key(), private.sign(value)
    print(f"an event of {len(value)} bytes with a header of {len(header)}; microseconds:")
    for what, work in (
        ("decode", lambda: decode(value)),
        ("read unsigned", lambda: records.read(plain)),
        ("read signed", lambda: records.read(signed)),
        ("sign for every reader", lambda: writer.sign(TICKETS, key, value)),
        ("Ed25519: sign", lambda: private.sign(value)),
        ("Ed25519: verify", lambda: public.verify(signature, value)),
    ):
        print(f"{microseconds(work):8.1f}  {what}")


if __name__ == "__main__":
    main()
