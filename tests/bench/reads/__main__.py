"""`python -m tests.bench.reads`: every bench of reads, one after the other, each on a system of its own.

Each is a module of this folder with a `main`, which prints its rows with the floor of the same run.
"""

import pkgutil
import subprocess
import sys

from tests.bench import reads


def main() -> int:
    failed = []
    for name in sorted(module.name for module in pkgutil.iter_modules(reads.__path__) if module.name != "__main__"):
        print(f"--- {name}", flush=True)
        if subprocess.run([sys.executable, "-m", f"{reads.__name__}.{name}"], check=False).returncode:
            failed.append(name)
    if failed:
        print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
