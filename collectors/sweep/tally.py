"""How far a sweep is: scopes done of scopes known, accounts done of all."""

import threading


class SweepProgress:
    """Counts for a progress line. Called from many threads. An account's scopes count once its regions are known."""

    def __init__(self, accounts: int) -> None:
        self._accounts, self._entered, self._left = accounts, 0, 0
        self._scopes, self._done = 0, 0
        self._lock = threading.Lock()

    def more(self, scopes: int) -> None:
        """So many scopes more are to be read."""
        with self._lock:
            self._scopes += scopes

    def entered(self) -> None:
        """All scopes of one account more are known."""
        with self._lock:
            self._entered += 1

    def left(self) -> None:
        """One account more is done, or cannot be entered."""
        with self._lock:
            self._left += 1

    def done(self) -> str:
        """One scope more is done: `12 of 97 scopes`, `at least` while accounts are to come, `account 3 of 40`."""
        with self._lock:
            self._done += 1
            least = "" if self._entered >= self._accounts else "at least "
            which = ""
            if self._accounts > 1:
                which = f", {self._left:,} of {self._accounts:,} accounts done"
            return f"{self._done:,} of {least}{self._scopes:,} scopes{which}"
