"""Measures the reading of mails from public corpora: `python -m tests.services.intake.mail.measure_reading [folder of
the corpora]`.

Prints how many are read, what that costs of the processor, what was cut off right from replies, and how reports are
told.
"""

import json
import resource
import sys
import time
from pathlib import Path

from services.intake.mail.quoting.reply import new_text
from services.intake.mail.reading import Reading, read
from services.intake.mail.verdict import judge
from shared.markup import richtext

CORPORA = Path(__file__).parents[5] / "shared" / "corpora"
FOLDERS = (
    "stalwart-mail-parser/resources/eml", "ruby-mail/spec/fixtures/emails", "rspamd/test/functional/messages", "sisimai-set-of-emails/maildir",
    "flufl.bounce/tests/data", "talon/tests/fixtures/standard_replies",
)  # fmt: skip


def main(corpora: Path) -> None:
    readings: dict[Path, Reading] = {}
    times: list[tuple[float, int, str]] = []
    for path in (each for folder in FOLDERS for each in sorted((corpora / folder).rglob("*"))):
        if not path.is_file() or path.suffix in (".json", ".py") or path.name in ("COPYING", ".gitattributes"):
            continue
        raw = path.read_bytes()
        started = time.process_time()
        readings[path] = read(raw)
        times.append((1_000 * (time.process_time() - started), len(raw), path.name))
    if not times:
        sys.exit(f"there are no mails in {corpora}")
    times.sort()
    unread = [
        path.name for path, found in readings.items() if any(w.startswith("could not be read") for w in found.wrong)
    ]
    print(f"{len(times) - len(unread)} of {len(times)} mails read {unread or ''}")
    average = sum(each for each, _, _ in times) / len(times)
    print(
        f"ms of CPU: mean {average:.2f}, median {times[len(times) // 2][0]:.2f}, p99 {times[int(len(times) * 0.99)][0]:.1f}"
    )
    print("slowest:", ", ".join(f"{name} {each:.0f} ms ({size} bytes)" for each, size, name in times[:-4:-1]))
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB of memory at most")
    replies(corpora / "discourse-email_reply_trimmer" / "test")
    reports(corpora, {path.name: found for path, found in readings.items()})
    fragments = json.loads((corpora / "dompurify-xss" / "expect.json").read_text())
    shown = [richtext.read(case["payload"])[1] for case in fragments]
    print(f"{sum(each is not None for each in shown)} of {len(fragments)} hostile fragments made safe")


def replies(folder: Path) -> None:
    missed = [
        path.name
        for path in sorted((folder / "emails").iterdir())
        if new_text(path.read_text("utf-8")).split() != (folder / "trimmed" / path.name).read_text("utf-8").split()
    ]
    total = len(list((folder / "emails").iterdir()))
    print(f"{total - len(missed)} of {total} replies cut right {missed or ''}")


def reports(corpora: Path, readings: dict[str, Reading]) -> None:
    sisimai = json.loads((corpora / "sisimai-set-of-emails" / "expected.json").read_text())
    flufl = json.loads((corpora / "flufl.bounce" / "expected.json").read_text())
    told = {
        name: judge(found, envelope_from="", names_ticket=False, is_ours=False, from_our_address=False).outcome
        for name, found in readings.items()
    }
    for corpus in (sisimai, flufl):
        kept = [name for name in corpus if told.get(name) == "created"]
        print(f"{len(corpus) - len(kept)} of {len(corpus)} reports told from letters {kept or ''}")
    graded = [n for n in sisimai if sisimai[n][0]["reason"] not in ("feedback", "vacation", "delivered", "undefined")]
    dead = [
        name
        for name in graded
        if (report := readings[name].report)
        and {failure.hard for failure in report.failures} == {bool(each["hardbounce"]) for each in sisimai[name]}
    ]
    print(f"{len(dead)} of {len(graded)} dead addresses told from others")
    named = [name for name in flufl if (flufl[name] or {}).get("addresses") and name in readings]
    right = [
        name
        for name in named
        if (report := readings[name].report)
        and {each.lower() for each in flufl[name]["addresses"]} <= {failure.recipient for failure in report.failures}
    ]
    print(f"{len(right)} of {len(named)} failing recipients named")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else CORPORA)
