"""How long a worker rests between two rounds, so that what arrives meanwhile shares the next round's fixed cost (decision 0066)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """`share` seconds of rest for a second of work, within `least` and `most` seconds. A machine under load makes each round longer, so
    rounds get fewer and larger there by themselves."""

    least: float
    most: float
    share: float

    def rest(self, worked: float) -> float:
        """Seconds to rest after a round that took `worked` seconds."""
        return min(self.most, max(self.least, self.share * worked))


PROMPT = Pace(least=0.02, most=0.06, share=2)
"""Of what somebody waits for at a screen: events on their way to the lists, settings that were saved."""
UNHURRIED = Pace(least=0.03, most=0.25, share=8)
"""Of what nobody waits for at once: answers by mail, numbers, names."""
