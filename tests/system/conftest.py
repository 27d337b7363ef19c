"""The system of real processes that these tests share, and a desk in it."""

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.desk import Desk, open_desk
from tests.system.harness import System, running_system


@pytest.fixture(scope="package")
def whole_system(scratch: Path) -> Iterator[System]:
    """Ends with these tests and not with the run, because its processes are never quite idle."""
    with running_system(scratch / "system") as made:
        yield made


@pytest.fixture
def system(whole_system: System) -> Iterator[System]:
    """The system, with everything running. A test may break it."""
    whole_system.heal()
    yield whole_system
    whole_system.heal()


@pytest.fixture
async def desk(system: System) -> AsyncIterator[Desk]:
    """An administrator and a queue with an address of its own."""
    async with open_desk(system) as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Generator[None, Any, Any]:
    """Prints the ends of the logs if a test failed."""
    report = yield
    shown = getattr(item, "funcargs", {}).get("system")
    if report.failed and isinstance(shown, System):
        report.sections += [(f"log of {each.name}", each.tail()) for each in shown.programs.values()]
    return report
