"""Checks the times of records against the broker's clock on arrival. A record dated in the future says nothing about
the world; its writer's clock is wrong, and applying it would make correct records look old. Pure; microseconds since
1970."""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.model import Change, Control, Snapshot, Swept, from_micros, micros
from driftline.pipeline.state.resource import Head, State
from driftline.pipeline.state.rows import NEVER

AHEAD = 600_000_000
"""More than synchronized clocks differ by."""


def latest_allowed(broker_time: int | None) -> int:
    """Returns the latest time that a record received at `broker_time` may carry. None: the time of receipt is
    unknown, any time is allowed."""
    return NEVER if broker_time is None else broker_time + AHEAD


def check(record: Snapshot | Change | Control, until: int) -> None:
    """Raises Malformed if any time of the record is later than `until`."""
    if until == NEVER:
        return
    for name, time in _times(record):
        if micros(time) > until:
            raise Malformed(
                f"{name} {from_micros(micros(time))} is more than ten minutes ahead of the broker's clock"
                f" ({from_micros(until - AHEAD)}): check the clock of the machine that wrote it"
            )


def sweep_times(record: Swept, broker_time: int | None) -> tuple[int, int]:
    """Returns when a sweep began by the broker's clock, as far as that can be determined, and when everything it read
    has arrived. A sweep is reported after it has ended: if the collector's clock is ahead of the broker's then, it
    was ahead at the beginning too, and resources created meanwhile would look older than the list. A clock that is
    behind does not make readings arrive earlier."""
    began, ended = micros(record.started_at), micros(record.ended_at or record.started_at)
    if broker_time is None:
        return began, 0
    return began - max(0, ended - broker_time), max(ended, broker_time)


def _times(record: Snapshot | Change | Control) -> Iterator[tuple[str, datetime]]:
    if isinstance(record, Snapshot):
        yield "captured_at", record.captured_at
        for part in record.parts:
            yield f"parts.{part.name}.captured_at", part.captured_at
            if part.provided_at is not None:
                yield f"parts.{part.name}.provided_at", part.provided_at
    elif isinstance(record, Change):
        yield "occurred_at", record.occurred_at
    elif record.tick is not None:
        yield "tick.watermark", record.tick.watermark
    elif record.swept is not None:
        yield "swept.started_at", record.swept.started_at
        if record.swept.ended_at is not None:
            yield "swept.ended_at", record.swept.ended_at
    elif record.gone is not None:
        yield "gone.at", record.gone.at
    elif record.baseline is not None:
        yield "baseline.at", record.baseline.at


def without_future_times(state: State, until: int) -> State:
    """Removes future times from a state written before they were checked, so that correct records apply again."""
    head, body = state.head, state.body
    ahead = max(
        head.seen_at, head.said_at, body.not_before, body.changed_at, *head.parts.values(), 0
    )
    if ahead <= until:
        return state

    def right(at: int) -> int:
        return at if at <= until else 0

    head = Head(
        b"", right(head.seen_at), right(head.said_at), {name: right(at) for name, at in head.parts.items()},
        {name: at for name, at in head.provided.items() if at <= until}, head.scope,
        again_at=head.again_at,  # revisions stay above those already written, whether their times were right or not
    )  # fmt: skip
    body = msgspec.structs.replace(
        body, not_before=right(body.not_before), changed_at=right(body.changed_at), agreed_at=right(body.agreed_at),
        replaced_at=right(body.replaced_at), hidden={n: one for n, one in body.hidden.items() if one.at <= until},
    )  # fmt: skip
    return State(head, body, state.due, state.position)
