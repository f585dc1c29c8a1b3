"""Reads log files that are already in S3: a prefix, a time range, several files side by side."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

from driftline.collectors.aws.api.errors import ERRORS
from driftline.collectors.aws.events.envelope import S3Object
from driftline.collectors.aws.events.logfile import kind_of
from driftline.collectors.aws.sources.dispatch import DispatchOutcome
from driftline.collectors.aws.sources.listen import Listener
from driftline.collectors.base import known_from
from driftline.pipeline.common.errors import NotThere, Undelivered, UserError
from driftline.pipeline.kafka.client import explained, read_compacted
from driftline.pipeline.records.topics import SWEEPS

_DAY = re.compile(r"/(20\d\d)/(\d\d)/(\d\d)/")
AT_ONCE = 8
SCHEME = "s3://"


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


def place_of(where: str) -> tuple[str, str]:
    """Bucket and prefix of `s3://BUCKET/PREFIX`. Raises UserError."""
    bucket, _, prefix = where.removeprefix(SCHEME).partition("/")
    if not where.startswith(SCHEME) or not bucket:
        raise UserError("not a place in S3", fix="write for example s3://my-trail/AWSLogs/", place=f"--backfill {where}")  # fmt: skip
    return bucket, prefix


def run(
    listener: Listener, bucket: str, prefix: str, since: datetime | None, until: datetime | None,
    done: Callable[[DispatchOutcome], None],
) -> None:  # fmt: skip
    """All log files below a prefix, of a time range; `done` is called after each. Raises UserError where the bucket cannot
    be read, NotThere where Kafka does not answer."""
    kafka = listener.settings.kafka
    with explained(kafka):
        _, headers, _ = known_from(read_compacted(kafka, SWEEPS.name).items())

    def asks(wish: Any) -> bool:
        """Not for what a complete sweep has read since."""
        header = headers.get(f"aws/{wish.account}/{wish.region}/{wish.type}")
        swept = header.completed_at if header else None
        return swept is None or wish.after > swept

    in_range, local = within(since, until), threading.local()

    def work(object_: S3Object) -> DispatchOutcome:
        if not hasattr(local, "both"):
            local.both = listener.hearer("log", asks)
        sender, hearer = local.both
        heard = DispatchOutcome()
        hearer.object(object_, heard, in_range)
        for why, what in heard.letters():
            sender.bury(object_.name, why, what)
        sender.flush()
        return heard

    try:
        found = objects(listener.organization.own("s3", None), bucket, prefix, since, until)
        fill(found, work, lambda _, heard: done(heard))
    except ERRORS as error:
        raise UserError(
            error,
            fix="does the bucket exist, and may it be read?",
            place=f"{SCHEME}{bucket}/{prefix}",
        ) from None
    except Undelivered as why:
        raise NotThere(why, place=f"Kafka at {kafka.bootstrap_servers}") from None
