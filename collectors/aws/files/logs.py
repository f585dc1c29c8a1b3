"""CloudTrail's log files on disk."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from driftline.collectors.aws.events import logfile
from driftline.collectors.aws.events.record import ChangeReader, failed, issued
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.common.files import open_regular
from driftline.pipeline.model import Change

MOST_BYTES = 1_000_000_000
"""Of a file, unpacked: people put many together."""


def records(path: Path) -> Iterator[tuple[str, dict[str, Any] | Malformed]]:
    """The records of a file, each with its place; a Malformed in the place of one that is none. Digests and Insight
    events, which a copy of a trail's bucket has as well, give nothing.

    Raises Malformed where it is no log file, cannot be read to its end, or unpacks to more than MOST_BYTES."""
    if logfile.beside(path.as_posix()):
        return
    try:
        with open_regular(path) as file:
            for place, record in logfile.records(file, path.as_posix(), MOST_BYTES):
                yield f"{path}{place}", record
    except Malformed as why:
        raise Malformed(f"{path}: {why}") from None
    except OSError as why:
        raise Malformed(f"{path}: {why.strerror or why}") from None


class TrailFiles:
    """Log files of CloudTrail as events. `reader` makes changes of their records."""

    def __init__(self, reader: ChangeReader) -> None:
        self._reader = reader

    def records(self, path: Path) -> Iterator[tuple[str, dict[str, Any] | Malformed]]:
        return records(path)

    def id_of(self, record: Mapping[str, Any]) -> bytes | None:
        if "eventName" not in record:
            return None
        id = record.get("eventID") or orjson.dumps(record, option=orjson.OPT_SORT_KEYS)
        return id if isinstance(id, bytes) else str(id).encode(errors="replace")

    def time_of(self, record: Mapping[str, Any]) -> Any:
        return record.get("eventTime")

    def names_a_call(self, record: Mapping[str, Any]) -> bool:
        return isinstance(record.get("eventName"), str)

    def credential(self, record: dict[str, Any]) -> str | None:
        given = issued(record)
        return given[0] if given and not failed(record) else None

    def changes(self, record: dict[str, Any]) -> Iterable[Change]:
        return self._reader.changes(record)
