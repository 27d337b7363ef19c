"""A module's tests stay in one process of a run that has several: what they start is started once."""

import pytest

RAN: list[int] = []


@pytest.mark.parametrize("n", range(6))
def test_all_tests_of_a_module_run_in_one_process_in_their_order(n: int) -> None:
    assert list(range(n)) == RAN
    RAN.append(n)
