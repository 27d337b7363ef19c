"""Makes the checkout's `.venv` and installs hash-locked requirements: `python3 deploy/bootstrap.py [--dev]`.

Uses the standard library only, and the syntax of old Pythons, so that a Python that is too old can say so.
"""

import hashlib
import os
import shutil
import subprocess
import sys

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(CHECKOUT, ".venv")
OLDEST = (3, 11)


def trouble(version: "tuple[int, ...]") -> str:
    """Why this Python cannot be used, with the remedy; empty if it can."""
    if version[:2] >= OLDEST:
        return ""
    return (
        "Python {0}.{1} is too old: Ledgerdesk needs 3.11 or newer. Install it"
        " (Debian: apt-get install python3.11 python3.11-venv) and run `make up PYTHON=python3.11`."
    ).format(*version[:2])


def _complete(python: str) -> bool:
    """Whether this virtual environment can install packages. Debian without python3-venv makes an incomplete one."""
    probe = [python, "-c", "import pip"]
    try:
        return subprocess.run(probe, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def main(arguments: "list[str]") -> int:
    reason = trouble(tuple(sys.version_info[:3]))
    if reason:
        sys.stderr.write(reason + "\n")
        return 1
    lock = "requirements-dev.lock" if "--dev" in arguments else "requirements-local.lock"
    with open(os.path.join(CHECKOUT, lock), "rb") as file:
        wanted = (
            hashlib.sha256(file.read()).hexdigest() + " " + VENV
        )  # programs in a venv hold its path: one that was moved is made again
    stamp = os.path.join(VENV, lock + ".installed")
    if os.path.exists(stamp):
        with open(stamp) as file:
            if file.read() == wanted:
                return 0
    python = os.path.join(VENV, "bin", "python")
    if not _complete(python):
        shutil.rmtree(VENV, ignore_errors=True)  # remains of an interrupted run
        print("Making .venv ...", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", VENV], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if made.returncode:
            shutil.rmtree(VENV, ignore_errors=True)
            sys.stderr.write(
                "Cannot make .venv: {0}\n"
                "On Debian and Ubuntu the module is in a package of its own: apt-get install python3-venv\n".format(
                    made.stdout.decode(errors="replace").strip()[-300:]
                )
            )
            return 1
    print(f"Installing {lock} (a minute the first time) ...", flush=True)
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled modules make later starts faster
    installed = subprocess.run(
        [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--require-hashes",
            "-r",
            os.path.join(CHECKOUT, lock),
        ],
        env=environment,
    )
    if installed.returncode:
        sys.stderr.write(
            "The packages cannot be installed."
            " Check the network and the free space on the disk, then run the same command again.\n"
        )
        return 1
    with open(stamp, "w") as file:
        file.write(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
