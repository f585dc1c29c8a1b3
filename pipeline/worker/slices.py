"""How much is done in one go, so that it takes no longer than it may. Pure: what it took is told."""


class Pace:
    """An amount between `least` and `most`. It is halved when one go took longer than `limit` seconds, and grows by a
    quarter after one that took less than a quarter of that. It begins at `first`: what is slow is not known yet."""

    def __init__(self, first: float, least: float, most: float, limit: float) -> None:
        self.amount = first
        self._least, self._most, self._limit = least, most, limit

    def took(self, seconds: float) -> None:
        """How long the last go took."""
        if seconds > self._limit:
            self.amount = max(self._least, self.amount / 2)
        elif seconds < self._limit / 4:
            self.amount = min(self._most, self.amount * 1.25)
