"""How long a worker rests between two rounds, so that what arrives meanwhile shares the next round's fixed cost."""

SHARE = 2.0
"""Rest for a second of work. A machine under load makes each round longer, so rounds get fewer and larger there by themselves."""


def rest(worked: float, *, least: float, most: float) -> float:
    """Seconds to rest after a round that took `worked` seconds, within the bounds."""
    return min(most, max(least, SHARE * worked))
