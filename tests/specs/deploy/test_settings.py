"""Every setting stands in the documents, and the documents name none that nothing reads."""

import re
import subprocess

from deploy.local.home import CHECKOUT

NAME = re.compile(r"LEDGERDESK_[A-Z0-9_]*[A-Z0-9]")
PROGRAMS = ("services", "shared", "deploy", "docker-compose.yml", "Makefile")
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "docs", ":!docs/decisions")  # records tell of their day
OURS = {"LEDGERDESK_SUPERVISED"}
"""By which the supervisor of a local instance knows its processes."""


def named(*paths: str) -> set[str]:
    """The variables in these committed files; each may be given as NAME_FILE, too."""
    files = subprocess.run(["git", "ls-files", "-z", *paths], cwd=CHECKOUT, capture_output=True, check=True).stdout
    texts = ((CHECKOUT / name).read_text("utf-8") for name in files.decode().split("\0") if name)
    return {name.removesuffix("_FILE") for text in texts for name in NAME.findall(text)}


def test_every_setting_is_documented() -> None:
    assert named(*PROGRAMS) - OURS <= named(*DOCUMENTS)


def test_no_setting_is_documented_that_nothing_reads() -> None:
    assert named(*DOCUMENTS) <= named(*PROGRAMS, "tests")
