"""All tests of a module run in one process, so that their fixtures start once; and every test runs."""

from collections import Counter

import pytest

RAN: list[int] = []


@pytest.mark.parametrize("n", range(6))
def test_all_tests_of_a_module_run_in_one_process_in_their_order(n: int) -> None:
    assert list(range(n)) == RAN
    RAN.append(n)


def test_every_test_has_a_name_of_its_own(request: pytest.FixtureRequest) -> None:
    """Of two tests with one name in a module, only one would run."""
    names = Counter(item.nodeid for item in request.session.items)
    assert {name: times for name, times in names.items() if times > 1} == {}
