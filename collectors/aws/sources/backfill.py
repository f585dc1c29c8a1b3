"""Log files that lie in S3 already: a prefix, a time range, several files side by side."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

from driftline.collectors.aws.events.envelope import S3Object
from driftline.collectors.aws.events.logfile import kind_of
from driftline.collectors.aws.sources.dispatch import DispatchOutcome

_DAY = re.compile(r"/(20\d\d)/(\d\d)/(\d\d)/")
AT_ONCE = 8


def objects(client: Any, bucket: str, prefix: str, since: datetime | None, until: datetime | None) -> Iterator[S3Object]:  # fmt: skip
    """The log files below a prefix of the days of a time range (CloudTrail writes the day into the key; one whose key has
    none is taken). Raises ERRORS."""
    first = since.date() if since else date.min
    last = (
        (until + timedelta(hours=1)).date() if until else date.max
    )  # files lag behind their events
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", []):
            key = found["Key"]
            if (day := _day(key)) and not first <= day <= last:
                continue
            if kind_of(key) == "log":
                yield S3Object(bucket, key)


def _day(key: str) -> date | None:
    """The day that a key names; None where it names none."""
    found = _DAY.search(key)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def fill(found: Iterator[S3Object], work: Callable[[S3Object], DispatchOutcome], told: Callable[[S3Object, DispatchOutcome], None]) -> None:  # fmt: skip
    """Reads them, several side by side, in order of their being told. Raises what reading one raises."""
    with ThreadPoolExecutor(AT_ONCE, "backfill") as pool:
        waiting: list[tuple[S3Object, Any]] = []
        for object_ in found:
            waiting.append((object_, pool.submit(work, object_)))
            if len(waiting) >= 4 * AT_ONCE:
                done, future = waiting.pop(0)
                told(done, future.result())
        for done, future in waiting:
            told(done, future.result())


def within(since: datetime | None, until: datetime | None) -> Callable[[dict[str, Any]], bool]:
    """Whether a record's own time lies in the range; one without a time does."""

    def holds(record: dict[str, Any]) -> bool:
        try:
            at = datetime.fromisoformat(str(record.get("eventTime")).replace("Z", "+00:00"))
        except ValueError:
            return True
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return (since is None or at >= since) and (until is None or at <= until)

    return holds
