"""What an alert is about: its resources, what was done, by whom, and the values that were counted; each once. Pure."""

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from driftline.pipeline.detections.windows import Hit, values

FIELDS = {"resource": "resources", "what": "actions", "who": "actors", "finding": "findings"}
"""Of what an alert shows of a hit, and what they are called in an alert."""
VALUES = "values"
KINDS = (*FIELDS.values(), VALUES)
REPORTED_KINDS = ("resources", "actions")
"""A new one of these is told at once."""
REPORTED_FIELDS = tuple(field for field, kind in FIELDS.items() if kind in REPORTED_KINDS)
MAX_LISTED = 50
"""Of each kind, that an alert lists: the first ones by the alphabet, whenever they came."""
MAX_COUNTED = 10_000
"""Of each kind, that are told apart; of more it is said that there are at least so many."""
DIGEST = 8


class AlertNames:
    """The different names of a run. What is final is kept as digests, the rest as it is: so it can be counted anew."""

    __slots__ = ("_counts", "_final", "_least", "_listed", "_more", "_open", "full", "overflow")

    def __init__(self, final: Iterable[bytes] = (), listed: Mapping[str, list[str]] | None = None, beyond: bool = False) -> None:  # fmt: skip
        self._final = set(final)
        self._listed = {kind: list(names) for kind, names in listed.items()} if listed else {}
        self._counts: dict[str, int] = (
            Counter(KINDS[one[0]] for one in self._final) if final else {}
        )
        self._open: dict[str, set[str]] = {}
        self._least: dict[str, list[str]] = {}
        self._more: dict[str, int] = {}
        """Of those open, how many are not among the final ones. (Here and above a kind without any is not there.)"""
        self.overflow = self.full = beyond
        """There are more than are told apart: among the final ones, or at all."""

    def add(self, hits: Sequence[Hit]) -> None:
        """The names of more hits, which may yet change."""
        briefs = [hit.brief for hit in hits]
        for field, kind in FIELDS.items():
            if names := [name for brief in briefs if (name := brief.get(field)) is not None]:
                self._name(kind, dict.fromkeys(map(str, names)))
        if names := [name for hit in hits if hit.value is not None for name in values(hit.value)]:
            self._name(VALUES, dict.fromkeys(names))

    def _name(self, kind: str, names: Iterable[str]) -> None:
        there, least = self._open.setdefault(kind, set()), self._least.setdefault(kind, [])
        for name in names:
            if name in there:
                continue
            known = bool(self._final) and digest(kind, name) in self._final
            if self._count(kind) >= MAX_COUNTED and not known:
                self.full = True
            else:
                there.add(name)
                self._more[kind] = self._more.get(kind, 0) + (not known)
            _list(least, name)

    def _count(self, kind: str) -> int:
        return self._counts.get(kind, 0) + self._more.get(kind, 0)

    def finalize(self, hits: Iterable[Hit]) -> list[bytes]:
        """These hits are final now. Returns what that adds to the final names."""
        more = []
        for hit in hits:
            for kind, name in _of(hit):
                key = digest(kind, name)
                _list(self._listed.setdefault(kind, []), name)
                if key in self._final:
                    continue
                if name in self._open.get(kind, ()):
                    self._more[kind] -= 1
                elif self._count(kind) >= MAX_COUNTED:
                    self.overflow = self.full = True
                    continue
                self._final.add(key)
                self._counts[kind] = self._counts.get(kind, 0) + 1
                more.append(key)
        return more

    def reopen(self) -> None:
        """What is not final is counted anew."""
        if self._open or self._least:
            self._open, self._least, self._more = {}, {}, {}
        self.full = self.overflow

    def counts(self) -> dict[str, int]:
        """How many there are of each kind; at most 10,000."""
        return {kind: n for kind in KINDS if (n := self._count(kind))}

    def listed(self, kind: str) -> list[str]:
        """The first by the alphabet."""
        final, more = self._listed.get(kind, ()), self._least.get(kind, ())
        return sorted({*final, *more})[:MAX_LISTED] if final else list(more)

    @property
    def finalized(self) -> dict[str, list[str]]:
        """The lists of what is final."""
        return {kind: self._listed[kind] for kind in FIELDS.values() if kind in self._listed}

    @property
    def reported(self) -> int:
        """How many there are of which a new one is told."""
        return sum(map(self._count, REPORTED_KINDS))


def count_reported(hits: Sequence[Hit]) -> int:
    """How many names there are in a few hits of which a new one is told."""
    briefs, count = [hit.brief for hit in hits], 0
    for field in REPORTED_FIELDS:
        names = [name for brief in briefs if (name := brief.get(field)) is not None]
        count += min(len(set(map(str, names))), MAX_COUNTED)
    return count


def _of(hit: Hit) -> Iterable[tuple[str, str]]:
    for field, kind in FIELDS.items():
        if (name := hit.brief.get(field)) is not None:
            yield kind, str(name)
    for name in values(hit.value):
        yield VALUES, name


def _list(found: list[str], name: str) -> None:
    if len(found) == MAX_LISTED and name >= found[-1]:
        return
    at = bisect_left(found, name)
    if found[at : at + 1] != [name]:
        found.insert(at, name)
        del found[MAX_LISTED:]


def digest(kind: str, name: str) -> bytes:
    """By which a name is known again; its first byte tells its kind."""
    whole = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()
    return bytes([KINDS.index(kind)]) + whole
