"""Coverage-guided fuzzing of the code that reads mails: `python -m tests.fuzz [mail|reply|html|tnef] [seconds]` (`make
fuzz`).

Inputs that reach new code are kept in var/fuzz; what breaks a promise is written there as `crash-...`. Small ones worth
keeping go to tests/fuzz/seeds, which every test run reads.
"""

import importlib
import os
import subprocess
import sys
from pathlib import Path

FOUND = Path("var") / "fuzz"


def fuzz(target: str, seconds: str) -> None:
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["services.intake", "shared.markup", "shared.markup.richtext"]):
        targets = importlib.import_module("tests.fuzz.targets")
    found = FOUND / target
    found.mkdir(parents=True, exist_ok=True)
    arguments = [
        sys.argv[0], f"-max_total_time={seconds}", "-max_len=20000", "-timeout=10", "-rss_limit_mb=2048", f"-artifact_prefix={found}/",
        "-print_final_stats=1", str(found), str(targets.SEEDS / target),
    ]  # fmt: skip
    atheris.Setup(arguments, lambda data: targets.run(target, data))
    atheris.Fuzz()


def main() -> None:
    name = sys.argv[1] if len(sys.argv) > 1 else "all"
    seconds = sys.argv[2] if len(sys.argv) > 2 else "60"
    if name != "all":
        fuzz(name, seconds)
        return
    # libFuzzer ends its process, so each target needs its own.
    failed = [
        target
        for target in ("mail", "reply", "html", "tnef")
        if subprocess.run(
            [sys.executable, "-m", "tests.fuzz", target, seconds], env=dict(os.environ), check=False
        ).returncode
    ]
    sys.exit(f"broken: {', '.join(failed)}; see {FOUND}" if failed else 0)


if __name__ == "__main__":
    main()
