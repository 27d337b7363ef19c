"""How long a worker waits between two batches, so that events that arrive meanwhile share a batch (decision 0066)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Batching:
    """The delay is `share` seconds for each second of work, at least `least` and at most `most` seconds.

    On a machine under load every batch takes longer, so batches become fewer and larger.
    """

    least: float
    most: float
    share: float

    def delay(self, worked: float) -> float:
        """Seconds to wait after a batch that took `worked` seconds."""
        return min(self.most, max(self.least, self.share * worked))


LOW_LATENCY = Batching(least=0.02, most=0.06, share=2)
"""For what people wait for at a screen: lists, saved settings."""
HIGH_THROUGHPUT = Batching(least=0.03, most=0.25, share=8)
"""For background work: mails, numbers, names."""
