"""Recorded readings and events, from any number of files, by the times that they carry.

The same records give the same order, however they are cut into files, shuffled or doubled."""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from driftline.collectors import installed
from driftline.collectors.folder.formats import LogReader, ReadsLogs
from driftline.collectors.folder.read import files, read
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.errors import Malformed, UserError
from driftline.pipeline.model import Snapshot, micros
from driftline.pipeline.offline.fold import Past
from driftline.pipeline.records import codec
from driftline.pipeline.records.tape import ORDER
from driftline.pipeline.records.topics import CHANGES, CONTROL, SNAPSHOTS, short

Told = Callable[[str], None]
Keep = Callable[[Any], bool]
"""Whether an event, as its provider writes it, is kept."""


class EventFiles(NamedTuple):
    """A file, or a folder of them, of a provider's audit events."""

    provider: str
    path: Path


FIRST = {topic.own: place for place, topic in enumerate(ORDER)}
TIMES = {CHANGES.own: "occurred_at", SNAPSHOTS.own: "captured_at"}
CONTROL_TIMES = {
    "tick": ("watermark",), "exception": ("at",), "baseline": ("at",), "gone": ("at",), "swept": ("ended_at", "started_at"),
}  # fmt: skip
"""Where a kind of control record has its time; of two fields the first that is there."""


class RecordsByTime:
    """Records by time, each once."""

    def __init__(self) -> None:
        self.records: dict[bytes, tuple[str, int, str, str, bytes]] = {}
        self.events: set[bytes] = set()
        """Digests of the ids of events, those with them that are not kept."""
        self.problems: list[str] = []
        self.last = 0
        """The time of the last of them, microseconds."""
        self._latest = ""
        self.origins: dict[str, list[bytes]] = {}
        """Records that gave out a credential and are not kept for themselves, by the credential."""
        self._used: set[str] = set()
        """Credentials that what is kept was done with."""
        self._read: dict[tuple[str, str, str], set[str]] = {}
        """Uids of what was read, by type, account and region."""
        self.ticks = False
        """Whether time passes by records of control among them."""

    @codec.one_record("a record")
    def add(self, topic: str, element: bytes) -> None:
        """One element. Raises Malformed where it has no time, or another form than its topic's."""
        document = codec.decode(element)
        at = _time(topic, document)
        self.ticks = self.ticks or (topic == CONTROL.name and "tick" in document)
        digest = hashlib.blake2b(topic.encode() + element, digest_size=16).digest()
        if short(topic) == SNAPSHOTS.own:
            type, account, uid = (str(document.get(name)) for name in ("type", "account", "uid"))
            for region in {str(document.get("region")), "global"}:
                self._read.setdefault((type, account, region), set()).add(uid)
        self.records[digest] = (
            at,
            FIRST[short(topic)],
            str(document.get("uid", "")),
            topic,
            element,
        )
        if topic == CHANGES.name and (used := (document.get("actor") or {}).get("session")):
            self._used.add(used)

    def log(self, path: Path, reader: LogReader, asked: Keep | None = None) -> None:
        """One log file. What cannot be read is a problem, with its place. `asked`: of which records a detection may make
        something; where there are no readings, nothing else can make a difference to a signal."""
        try:
            for place, record in reader.records(path):
                try:
                    if isinstance(record, Malformed):
                        raise record
                    self._see(record, reader)
                    if asked and reader.names_a_call(record) and not asked(record):
                        self._wait(record, reader)
                        continue
                    for change in reader.changes(record):
                        self.add(CHANGES.name, change.encode())
                except Malformed as why:
                    self.problems.append(f"{place}: {why}")
        except Malformed as why:
            self.problems.append(str(why))

    def _wait(self, record: dict[str, Any], reader: LogReader) -> None:
        if given := reader.credential(record):
            self.origins.setdefault(given, []).append(orjson.dumps(record))

    def follow(self, reader: LogReader) -> None:
        """Takes in where the credentials come from that what is kept was done with, and those with which they were got."""
        while found := self._used & self.origins.keys():
            for record in itertools.chain.from_iterable(map(self.origins.pop, sorted(found))):
                for change in reader.changes(orjson.loads(record)):
                    self.add(CHANGES.name, change.encode())

    def _see(self, record: dict[str, Any], reader: LogReader) -> None:
        if (id := reader.id_of(record)) is None:
            return
        self.events.add(hashlib.blake2b(id, digest_size=12).digest())
        at = reader.time_of(record)
        if isinstance(at, str) and at > self._latest:
            try:
                self.last = max(self.last, micros(datetime.fromisoformat(at)))
            except (ValueError, TypeError, OverflowError):  # the record is told where it is read
                return
            self._latest = at

    def join(self, other: "RecordsByTime") -> None:
        """Takes what another has gathered."""
        self.records |= other.records
        self.events |= other.events
        self._used |= other._used  # noqa: SLF001 - another of us
        for key, records_ in other.origins.items():
            self.origins.setdefault(key, []).extend(records_)
        for place, uids in other._read.items():  # noqa: SLF001
            self._read.setdefault(place, set()).update(uids)
        self.problems += other.problems
        self.last = max(self.last, other.last)
        self.ticks = self.ticks or other.ticks

    def seen(self) -> list[tuple[str, str, str, set[str]]]:
        """Uids of the resources that were read, by type, account and region."""
        return [(*place, uids) for place, uids in self._read.items()]

    def __iter__(self) -> Iterator[Past]:
        for at, *_, topic, element in sorted(self.records.values()):
            yield Past(
                at, topic, element if topic == CONTROL.name else codec.encode_batch([element])
            )


def _time(topic: str, document: Any) -> str:
    """The time by which a record has its place. Raises Malformed where it has none."""
    if isinstance(document, dict):
        names: tuple[str, ...] = (TIMES.get(short(topic), ""),)
        if topic == CONTROL.name:
            kind = next((kind for kind in CONTROL_TIMES if document.get(kind)), "")
            document, names = document.get(kind), CONTROL_TIMES.get(kind, ())
        for name in names if isinstance(document, dict) else ():
            if isinstance(at := document.get(name), str):
                return at
    raise Malformed("a record without a time")


def reader_of(
    provider: str, redactor: Redactor, wanted: Keep, seen: Iterable[tuple[str, str, str, Iterable[str]]] = ()
) -> LogReader:  # fmt: skip
    """Records of a provider's events as its collector understands them. `wanted`: which read-only and data events it keeps; `seen`:
    what was read. Raises UserError where the provider has no files of events."""
    module = installed.module(provider)
    if not isinstance(module, ReadsLogs):
        raise UserError(f"no files of events of {module.title} can be read", place=provider)
    return module.logs(redactor, wanted, seen)


def past(
    tapes: Sequence[Path], logs: Sequence[EventFiles], snapshots: Sequence[Path], redactor: Redactor,
    wants_of: Callable[[str], Keep] = lambda _: lambda _: False,
) -> RecordsByTime:  # fmt: skip
    """Everything in the files. What cannot be read is among the problems, and left out. `wants_of`: which read-only and data events
    of a provider are kept."""
    out = RecordsByTime()

    def fed(topic: str, value: bytes) -> None:
        for element in [value] if topic == CONTROL.name else codec.split(value):
            try:
                out.add(topic, element)
            except Malformed as why:
                out.problems.append(str(why))

    def emitted(snapshot: Snapshot) -> None:
        out.add(SNAPSHOTS.name, codec.encode_snapshot(snapshot))

    if tapes or snapshots:
        out.problems += read([*tapes, *snapshots], fed, emitted, None, redactor).problems
    for provider in dict.fromkeys(one.provider for one in logs):
        reader = reader_of(provider, redactor, wants_of(provider), out.seen())
        mine = [one.path for one in logs if one.provider == provider]
        for path in files(mine, out.problems.append):
            out.log(path, reader)
    return out
