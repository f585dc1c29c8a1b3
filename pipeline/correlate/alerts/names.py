"""The distinct names of an alert: resources, actions, actors, findings, and counted values. Pure."""

import hashlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from driftline.pipeline.detections.windows import Hit, values

FIELDS = {"resource": "resources", "what": "actions", "who": "actors", "finding": "findings"}
"""Fields of a hit's brief, and the names of their lists in an alert."""
VALUES = "values"
KINDS = (*FIELDS.values(), VALUES)
REPORTED_KINDS = ("resources", "actions")
"""A new name of one of these kinds is reported immediately."""
REPORTED_FIELDS = tuple(field for field, kind in FIELDS.items() if kind in REPORTED_KINDS)
MAX_LISTED = 50
"""Maximum number of names per kind listed in an alert: the first ones in alphabetical order, whatever the order of
arrival."""
MAX_COUNTED = 10_000
"""Maximum number of names per kind that are counted; above it the count is a lower bound."""
DIGEST = 8


class AlertNames:
    """The distinct names of a run. Final names are kept as digests, the others in full, so that they can be counted
    again."""

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
        """Names by kind that are open and not final. Here and above, kinds without names are absent."""
        self.overflow = self.full = beyond
        """More names occurred than are counted: among the final ones, or at all."""

    def add(self, hits: Sequence[Hit]) -> None:
        """Adds the names of hits that may still change."""
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
        """Makes the names of these hits final. Returns the digests this adds."""
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
        """Discards the names that are not final, to count them again."""
        if self._open or self._least:
            self._open, self._least, self._more = {}, {}, {}
        self.full = self.overflow

    def counts(self) -> dict[str, int]:
        """Returns the number of names of each kind; at most 10,000."""
        return {kind: n for kind in KINDS if (n := self._count(kind))}

    def listed(self, kind: str) -> list[str]:
        """Returns the first names of a kind in alphabetical order."""
        final, more = self._listed.get(kind, ()), self._least.get(kind, ())
        return sorted({*final, *more})[:MAX_LISTED] if final else list(more)

    @property
    def finalized(self) -> dict[str, list[str]]:
        """The lists of final names."""
        return {kind: self._listed[kind] for kind in FIELDS.values() if kind in self._listed}

    @property
    def reported(self) -> int:
        """The number of names of the kinds that are reported immediately."""
        return sum(map(self._count, REPORTED_KINDS))


def count_reported(hits: Sequence[Hit]) -> int:
    """Returns the number of distinct names of those kinds in a few hits."""
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
    """Returns the key of a name; its first byte is its kind."""
    whole = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()
    return bytes([KINDS.index(kind)]) + whole
