"""Resolves names in events to uids seen by sweeps: a role's path, a secret's suffix, a group's id."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping

from driftline.collectors.aws.events.claims import claims
from driftline.collectors.aws.events.names import NoNames, spelled, uncertain
from driftline.collectors.aws.row import Kind, kinds

REFRESH = 300.0
MISSED = 30.0
"""Seconds after which sweeps are read again for an unknown name."""
DEAR = 20
"""Minimum wait before reading again, as a multiple of the last read's duration."""


def asked() -> dict[str, Kind]:
    """The types whose sweeps are read."""
    seen = {claim.kind.type for found in claims().values() for claim in found if claim.touch.seen}
    return {type: kind for type, kind in kinds().items() if type in seen or uncertain(kind)}


class UidIndex(NoNames):
    """Names as uids, of uids by type, account and region."""

    def __init__(self, uids: Iterable[tuple[str, str, str, Iterable[str]]] = ()) -> None:
        self._types = asked()
        self._uids: dict[tuple[str, str, str], dict[str, str]] = {}
        for type, account, region, found in uids:
            self._take(self._uids, type, account, region, found)

    def uid(self, type: str, account: str, region: str, name: str) -> str | None:
        """The only resource with that name; None if there is none, or more than one."""
        if (kind := self._types.get(type)) is None:
            return None
        return self._uids.get((type, account, region), {}).get(_key(kind, name)) or None

    def _take(
        self, into: dict[tuple[str, str, str], dict[str, str]], type: str, account: str, region: str, uids: Iterable[str],
    ) -> None:  # fmt: skip
        if (kind := self._types.get(type)) is None:
            return
        named = into.setdefault((type, account, region), {})
        for uid in uids:
            if told := spelled(kind, uid):
                name = _key(kind, told.id)
                named[name] = "" if named.get(name, uid) != uid else uid


def _key(kind: Kind, name: str) -> str:
    return name.casefold() if kind.named.case == "any" else name


class SweepIndex(UidIndex):
    """The uids seen by sweeps. `load` returns uids by scope key (provider/account/region/type), as in the sweeps topic."""

    def __init__(self, load: Callable[[], Mapping[str, set[str]]], clock: Callable[[], float] = time.monotonic) -> None:  # fmt: skip
        super().__init__()
        self._load, self._clock, self._lock = load, clock, threading.Lock()
        self._loaded_at: float | None = None
        self._took = 0.0

    def uid(self, type: str, account: str, region: str, name: str) -> str | None:
        """The only resource with that name; None if there is none, or more than one."""
        self._refresh(REFRESH)
        known = super().uid(type, account, region, name)
        if known is None and type in self._types and self._refresh(max(MISSED, DEAR * self._took)):
            known = super().uid(type, account, region, name)
        return known

    def _refresh(self, every: float) -> bool:
        with self._lock:
            began = self._clock()
            if self._loaded_at is not None and began - self._loaded_at < every:
                return False
            uids: dict[tuple[str, str, str], dict[str, str]] = {}
            for key, known in self._load().items():
                provider, account, region, type = key.split("/", 3)
                if provider == "aws":
                    self._take(uids, type, account, region, known)
            self._uids, self._loaded_at = uids, self._clock()
            self._took = self._loaded_at - began
            return True
