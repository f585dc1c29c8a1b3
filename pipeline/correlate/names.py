"""What an alert is about: its resources, what was done, by whom, and the values that were counted; each once. Pure."""

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping

from pipeline.correlate.windows import Hit, values

FIELDS = {"resource": "resources", "what": "actions", "who": "actors", "finding": "findings"}
"""Of what an alert shows of a hit, and what they are called in an alert."""
VALUES = "values"
KINDS = (*FIELDS.values(), VALUES)
TOLD = ("resources", "actions")
"""A new one of these is told at once."""
LISTED = 50
"""Of each kind, that an alert lists: the first ones by the alphabet, whenever they came."""
MOST = 10_000
"""Of each kind, that are told apart; of more it is said that there are at least so many."""
DIGEST = 8


class Names:
    """The different names of a run. What is final is kept as digests, the rest as it is: so it can be counted anew."""

    def __init__(self, final: Iterable[bytes] = (), listed: Mapping[str, list[str]] | None = None, beyond: bool = False) -> None:  # fmt: skip
        self._final = set(final)
        self._listed = {kind: list((listed or {}).get(kind, ())) for kind in KINDS}
        self._counts = Counter(KINDS[one[0]] for one in self._final)
        self._open: dict[str, set[str]] = {kind: set() for kind in KINDS}
        self._least: dict[str, list[str]] = {kind: [] for kind in KINDS}
        self._more: Counter[str] = Counter()
        """Of those open, how many are not among the final ones."""
        self.beyond = self.full = beyond
        """There are more than are told apart: among the final ones, or at all."""

    def add(self, hit: Hit) -> None:
        """The names of one more hit, which may yet change."""
        for field, kind in FIELDS.items():
            name = hit.brief.get(field)
            if name is not None and (name := str(name)) not in self._open[kind]:
                self._name(kind, name)
        if hit.value is not None:
            for name in values(hit.value):
                if name not in self._open[VALUES]:
                    self._name(VALUES, name)

    def _name(self, kind: str, name: str) -> None:
        known = bool(self._final) and digest(kind, name) in self._final
        if self._counts[kind] + self._more[kind] >= MOST and not known:
            self.full = True
        else:
            self._open[kind].add(name)
            self._more[kind] += not known
        _list(self._least[kind], name)

    def settle(self, hits: Iterable[Hit]) -> list[bytes]:
        """These hits are final now. Returns what that adds to the final names."""
        more = []
        for hit in hits:
            for kind, name in _of(hit):
                key = digest(kind, name)
                _list(self._listed[kind], name)
                if key in self._final:
                    continue
                if name in self._open[kind]:
                    self._more[kind] -= 1
                elif self._counts[kind] + self._more[kind] >= MOST:
                    self.beyond = self.full = True
                    continue
                self._final.add(key)
                self._counts[kind] += 1
                more.append(key)
        return more

    def reopen(self) -> None:
        """What is not final is counted anew."""
        self._open = {kind: set() for kind in KINDS}
        self._least = {kind: [] for kind in KINDS}
        self._more.clear()
        self.full = self.beyond

    def counts(self) -> dict[str, int]:
        """How many there are of each kind; at most 10,000."""
        return {kind: n for kind in KINDS if (n := self._counts[kind] + self._more[kind])}

    def listed(self, kind: str) -> list[str]:
        """The first by the alphabet."""
        return sorted({*self._listed[kind], *self._least[kind]})[:LISTED]

    @property
    def settled(self) -> dict[str, list[str]]:
        """The lists of what is final."""
        return {kind: names for kind, names in self._listed.items() if names and kind != VALUES}

    @property
    def told(self) -> int:
        """How many there are of which a new one is told."""
        return sum(self._counts[kind] + self._more[kind] for kind in TOLD)


def _of(hit: Hit) -> Iterable[tuple[str, str]]:
    for field, kind in FIELDS.items():
        if (name := hit.brief.get(field)) is not None:
            yield kind, str(name)
    for name in values(hit.value):
        yield VALUES, name


def _list(found: list[str], name: str) -> None:
    if len(found) == LISTED and name >= found[-1]:
        return
    at = bisect_left(found, name)
    if found[at : at + 1] != [name]:
        found.insert(at, name)
        del found[LISTED:]


def digest(kind: str, name: str) -> bytes:
    """By which a name is known again; its first byte tells its kind."""
    whole = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()
    return bytes([KINDS.index(kind)]) + whole
