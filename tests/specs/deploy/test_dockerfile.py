"""Rules for the Dockerfile (with hadolint's numbers) and docker-compose.yml."""

import json
import re
from collections.abc import Iterator

from deploy.local.home import CHECKOUT

DOCKERFILE = CHECKOUT / "deploy" / "docker" / "Dockerfile"


def instructions() -> list[tuple[str, str]]:
    """Every instruction with its arguments, continued lines joined."""
    text = re.sub(r"\\\n", " ", re.sub(r"(?m)^#.*\n", "", DOCKERFILE.read_text("utf-8")))
    return [
        (name, rest.strip()) for name, _, rest in (line.partition(" ") for line in text.splitlines() if line.strip())
    ]


def stages() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for name, rest in instructions():
        if name == "FROM":
            found[rest.rpartition(" AS ")[2]] = current = []
        elif found:
            current.append((name, rest))
    return found


def runs() -> Iterator[str]:
    return (rest for name, rest in instructions() if name == "RUN")


def test_no_frontend_is_pulled_and_every_base_is_an_argument_with_a_tag() -> None:
    assert "syntax=" not in DOCKERFILE.read_text("utf-8")
    named = set(stages())
    bases = [rest.partition(" AS ")[0] for name, rest in instructions() if name == "FROM"]
    assert all(base in named or base == "${PYTHON_IMAGE}${PYTHON_DIGEST}" for base in bases)
    assert any(
        re.fullmatch(r"PYTHON_IMAGE=[\w./-]+:[\w.-]+", rest) for name, rest in instructions() if name == "ARG"
    )  # DL3006, DL3007


def test_files_are_copied_and_not_added_and_nothing_changes_the_folder_in_a_command() -> None:
    assert not [name for name, _ in instructions() if name in ("ADD", "MAINTAINER")]  # DL3020, DL4000
    assert not [
        each for each in runs() if re.search(r"(^|&& *)(cd|sudo|ssh|vim|shutdown|service) ", each)
    ]  # DL3003, DL3004, DL3001


def test_packages_come_without_what_they_only_recommend_and_leave_no_lists() -> None:
    for each in runs():
        if "apt-get install" in each:
            assert (
                "--yes" in each and "--no-install-recommends" in each and "rm -rf /var/lib/apt/lists/*" in each
            )  # DL3014, 3015, 3009
        if "pip " in each and " install" in each:
            assert "--require-hashes" in each or "--no-index" in each  # DL3013


def test_images_end_with_a_user_that_is_not_root_and_commands_without_a_shell() -> None:
    for stage in ("services", "front"):
        users = [rest for name, rest in stages()[stage] if name == "USER"]
        assert users[-1] == "10001:10001"  # DL3002
        told = {name: rest for name, rest in stages()[stage] if name in ("ENTRYPOINT", "CMD", "HEALTHCHECK")}
        assert set(told) == {"ENTRYPOINT", "CMD", "HEALTHCHECK"}
        for rest in told.values():
            command = json.loads(rest[rest.index("[") :])  # DL3025
            assert not command or command[0] not in ("sh", "bash", "/bin/sh")


def test_images_carry_the_labels_of_the_oci() -> None:
    labels = " ".join(rest for name, rest in stages()["services"] if name == "LABEL")
    for each in ("title", "description", "licenses", "version", "revision", "created", "base.name", "base.digest"):
        assert f"org.opencontainers.image.{each}=" in labels


def test_the_final_image_has_no_compiler_and_no_installer() -> None:
    assert not [rest for name, rest in stages()["services"] if name == "RUN"]
    assert "gcc" not in DOCKERFILE.read_text("utf-8") and "build-essential" not in DOCKERFILE.read_text("utf-8")


def test_every_copied_file_is_in_the_build_context() -> None:
    lines = (CHECKOUT / ".dockerignore").read_text("utf-8").splitlines()
    sent = [line[1:] for line in lines if line.startswith("!")]
    copied = [rest.split()[:-1] for name, rest in instructions() if name == "COPY" and not rest.startswith("--from")]
    for source in (each for sources in copied for each in sources):
        assert (CHECKOUT / source.partition("*")[0]).exists()
        assert any(source == each or source.startswith(f"{each}/") for each in sent), source
