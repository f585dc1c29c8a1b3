"""Adapts the amount of work per step to the time that steps take. Pure: the caller measures the time."""


class Pace:
    """An amount of work between `least` and `most`, starting at `first`. It is halved after a step that took longer than
    `limit` seconds, and grows by a quarter after one that took less than a quarter of `limit`."""

    def __init__(self, first: float, least: float, most: float, limit: float) -> None:
        self.amount = first
        self._least, self._most, self._limit = least, most, limit

    def took(self, seconds: float) -> None:
        """Records how long the last step took."""
        if seconds > self._limit:
            self.amount = max(self._least, self.amount / 2)
        elif seconds < self._limit / 4:
            self.amount = min(self._most, self.amount * 1.25)
