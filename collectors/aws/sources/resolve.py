"""The names that events give, as the uids that sweeps have seen: a role's path, a secret's suffix, a group's number."""

import re
import threading
import time
from collections.abc import Callable, Mapping

from collectors.aws.events.record import claims

REFRESH = 300.0
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")


def names(uid: str) -> list[str]:
    """What an event may call a resource of that uid: its last step, with and without a secret's random suffix."""
    last = re.split(r"[/:]", uid)[-1]
    whole = uid.split(":", 6)[-1]
    return list(dict.fromkeys([last, _SUFFIX.sub("", last), whole, _SUFFIX.sub("", whole)]))


class Index:
    """What sweeps have seen. `load` gives uids by scope key (provider/account/region/type), as the sweeps topic has them."""

    def __init__(self, load: Callable[[], Mapping[str, set[str]]], clock: Callable[[], float] = time.monotonic) -> None:  # fmt: skip
        self._load, self._clock, self._lock = load, clock, threading.Lock()
        self._types = {c.kind.type for found in claims().values() for c in found if c.touch.named}
        self._uids: dict[tuple[str, str, str], dict[str, str]] = {}
        self._loaded_at: float | None = None

    def uid(self, type: str, account: str, region: str, name: str) -> str | None:
        """The one resource of that name; None where there is none, or more than one."""
        self._refresh()
        return self._uids.get((type, account, region), {}).get(name) or None

    def region(self, uid: str) -> str | None:  # noqa: ARG002 - sweeps do not say where a bucket is
        """None: unknown."""
        return None

    def _refresh(self) -> None:
        with self._lock:
            if self._loaded_at is not None and self._clock() - self._loaded_at < REFRESH:
                return
            uids: dict[tuple[str, str, str], dict[str, str]] = {}
            for key, known in self._load().items():
                _, account, region, type = key.split("/", 3)
                if type not in self._types:
                    continue
                named = uids.setdefault((type, account, region), {})
                for uid in known:
                    for name in names(uid):
                        named[name] = "" if named.get(name, uid) != uid else uid
            self._uids, self._loaded_at = uids, self._clock()
