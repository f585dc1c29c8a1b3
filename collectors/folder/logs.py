"""CloudTrail's log files on disk."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from driftline.collectors.aws.events import logfile
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.common.files import open_regular

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
