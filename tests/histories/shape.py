"""The shape of a real helpdesk's year, in numbers: which step follows which, after how long, on which days and hours.

Measured on the public event log "Help desk log of an Italian company" (3 804 cases, 13 710 events, two years), which
research on process mining uses. Its activities were grouped: assigned (the ticket is open and waits), taken in charge,
waiting (for somebody outside), closed. Only these figures were taken, none of its data.
"""

from bisect import bisect
from itertools import accumulate
from random import Random

Table = tuple[float, ...]

WEEKDAYS: Table = (640, 820, 833, 768, 687, 55, 1)
"""Openings on each day of the week, Monday first."""
HOURS: Table = (0, 0, 0, 0, 0, 0, 0, 8, 320, 280, 479, 487, 227, 447, 251, 405, 480, 205, 182, 33, 0, 0, 0, 0)
"""Openings in each hour of the day."""
QUANTILES: Table = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
STEPS: dict[str, dict[str, float]] = {
    "assigned": {"taken": 0.84, "assigned": 0.095, "closed": 0.053, "waiting": 0.012},
    "taken": {"closed": 0.77, "waiting": 0.2, "taken": 0.03},
    "waiting": {"taken": 0.54, "closed": 0.4, "waiting": 0.06},
    "closed": {"end": 0.955, "taken": 0.045},
}
"""The probabilities of the step after each step."""
HOURS_BETWEEN: dict[tuple[str, str], Table] = {
    ("assigned", "taken"): (0.001, 0.003, 0.006, 0.02, 0.316, 2.39, 18.0, 32.7, 91.2, 183.8, 338.0, 696.6, 1120.9),
    ("assigned", "assigned"): (0.001, 0.004, 0.005, 0.016, 0.148, 1.09, 15.6, 40.4, 116.2, 264.6, 360.5, 976.7, 1058.3),
    ("assigned", "closed"): (0.002, 0.007, 0.015, 0.04, 0.27, 0.82, 2.89, 15.6, 27.3, 91.1, 167.7, 426.5, 768.3),
    ("assigned", "waiting"): (0.002, 0.007, 0.015, 0.04, 0.27, 0.82, 2.89, 15.6, 27.3, 91.1, 167.7, 426.5, 768.3),
    ("taken", "closed"): (0.001, 0.003, 0.013, 0.094, 0.518, 2.04, 8.56, 30.6, 97.0, 211.4, 386.0, 771.8, 1055.3),
    ("taken", "waiting"): (0.001, 0.008, 0.129, 0.712, 2.43, 20.0, 43.6, 90.3, 149.8, 259.0, 352.3, 649.5, 933.8),
    ("taken", "taken"): (0.001, 0.01, 0.032, 0.244, 0.579, 7.54, 25.7, 112.6, 165.0, 357.9, 496.7, 908.3, 908.4),
    ("waiting", "taken"): (0.002, 2.0, 20.4, 42.4, 77.6, 119.6, 167.2, 244.9, 344.0, 553.8, 675.3, 863.9, 999.7),
    ("waiting", "closed"): (0.093, 3.64, 23.6, 65.3, 99.8, 167.8, 218.8, 331.9, 410.4, 571.1, 653.9, 927.1, 1071.9),
    ("waiting", "waiting"): (0.001, 0.001, 0.001, 0.002, 0.966, 6.9, 42.7, 95.7, 144.5, 196.2, 312.6, 889.2, 889.3),
    ("closed", "taken"): (0.003, 0.204, 1.16, 2.8, 18.4, 27.7, 73.9, 124.1, 168.8, 339.1, 434.1, 786.8, 1004.7),
}
"""Hours between two steps, at the QUANTILES."""


def chosen(chance: Random, weights: Table) -> int:
    """An index, with a probability in proportion to its weight."""
    sums = list(accumulate(weights))
    return bisect(sums, chance.random() * sums[-1])


def next_step(chance: Random, step: str) -> str:
    return chance.choices(list(STEPS[step]), list(STEPS[step].values()))[0]


def hours_until(chance: Random, step: str, following: str) -> float:
    """A waiting time with the measured distribution, interpolated between its quantiles."""
    table, at = HOURS_BETWEEN[step, following], chance.random()
    n = min(bisect(QUANTILES, at), len(QUANTILES) - 1)
    low, high = QUANTILES[n - 1], QUANTILES[n]
    return table[n - 1] + (table[n] - table[n - 1]) * (at - low) / (high - low)
