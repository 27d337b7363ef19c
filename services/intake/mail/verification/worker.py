"""The process that verifies senders: `python -m services.intake.mail.verification.worker SETTINGS`, started by verifier.py.

It reads strangers' mails and asks the DNS for names that strangers chose, so that it has no secrets, no database and no more than its
share of time and memory for each.
"""

import resource
import signal
import struct
import sys

from pydantic import TypeAdapter

from services.intake.mail.verification.authentication_results import Authentication
from services.intake.mail.verification.dns import SECONDS, DnsQueries, resolver
from services.intake.mail.verification.sender_check import SenderEvidence, check_sender

ASKED = struct.Struct(">IQI")
"""The lengths of question and mail, and the milliseconds of processor time that it may take."""
ANSWER = struct.Struct(">I?")
"""The length of the result; whether the DNS is silent as a whole."""
MOST_MEMORY = 1024 * 1024 * 1024

EVIDENCE = TypeAdapter(SenderEvidence)
RESULT = TypeAdapter(Authentication)
SETTINGS = TypeAdapter(dict[str, list[str]])
"""`nameservers`: those to ask, none: the machine's own; `sealers`: whose ARC seals are trusted."""


def main() -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)  # the service decides when its workers end
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, hard))
    settings = SETTINGS.validate_json(sys.argv[1])
    asked, sealers = resolver(settings["nameservers"]), frozenset(settings["sealers"])
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(ASKED.size)) == ASKED.size:
        length, size, milliseconds = ASKED.unpack(head)
        question = EVIDENCE.validate_json(source.read(length))
        raw = source.read(size)
        if len(raw) < size:
            return
        # The kernel ends the process when its time is over, wherever it hangs.
        signal.setitimer(signal.ITIMER_PROF, milliseconds / 1000)
        queries = DnsQueries(asked, seconds=SECONDS)
        try:
            found = check_sender(raw, question, queries, sealers)
        except Exception as error:  # a fault of ours proves nothing, and the next mail must not wait for a new process
            found = Authentication("unknown", (f"not verified: {type(error).__name__}",))
        result = RESULT.dump_json(found)
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(ANSWER.pack(len(result), queries.silent) + result)
        answers.flush()


if __name__ == "__main__":
    main()
