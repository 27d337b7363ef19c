"""The process that verifies senders: `python -m services.intake.mail.verification.worker SETTINGS`, started by
verifier.py.

It reads strangers' mails and queries the DNS for names that strangers chose. So it has no secrets, no database, and
limited time and memory for each mail.
"""

import resource
import signal
import struct
import sys

from pydantic import TypeAdapter

from services.intake.mail.verification.authentication_results import Authentication
from services.intake.mail.verification.dns import SECONDS, DnsQueries, resolver
from services.intake.mail.verification.sender_check import SenderEvidence, check_sender

REQUEST = struct.Struct(">IQI")
"""The lengths of evidence and mail, and the milliseconds of processor time that are allowed."""
RESPONSE = struct.Struct(">I?")
"""The length of the result, and whether the DNS did not respond at all."""
MOST_MEMORY = 1024 * 1024 * 1024

EVIDENCE = TypeAdapter(SenderEvidence)
RESULT = TypeAdapter(Authentication)
SETTINGS = TypeAdapter(dict[str, list[str]])
"""`nameservers`: empty: those of the machine; `sealers`: domains whose ARC seals are trusted."""


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)  # the service decides when its workers end
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, hard))
    settings = SETTINGS.validate_json(sys.argv[1])
    asked, sealers = resolver(settings["nameservers"]), frozenset(settings["sealers"])
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(REQUEST.size)) == REQUEST.size:
        length, size, milliseconds = REQUEST.unpack(head)
        question = EVIDENCE.validate_json(source.read(length))
        raw = source.read(size)
        if len(raw) < size:
            return
        # The kernel ends the process when its time is over, wherever it is.
        signal.setitimer(signal.ITIMER_PROF, milliseconds / 1000)
        queries = DnsQueries(asked, seconds=SECONDS)
        try:
            found = check_sender(raw, question, queries, sealers)
        except (
            Exception
        ) as error:  # a fault of this program proves nothing, and the next mail must not wait for a new process
            found = Authentication("unknown", (f"not verified: {type(error).__name__}",))
        result = RESULT.dump_json(found)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(RESPONSE.pack(len(result), queries.silent) + result)
        answers.flush()


if __name__ == "__main__":
    main()
