"""When an alert is reported again, and with which revision. Pure; times in microseconds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from driftline.pipeline.common.durations import MINUTE
from driftline.pipeline.correlate.alerts.span import OpenRun, Run

RANK = {"active": 0, "ended": 1, "merged": 2, "withdrawn": 2}
"""Of two updates after the same hits, the one with the higher rank wins."""
REVISION_STEP = 1 << 20
"""Greater than the number of hits of any group."""
MAX_IMMEDIATE = 20
"""How many times a new resource or action of an alert is reported immediately."""


class ReportedAlert(msgspec.Struct, array_like=True, gc=False):
    """An alert as it was last reported."""

    begins: int
    last: int
    digest: bytes
    held: bool = False
    """The alert exceeded the budget of its rule."""
    named: int = 0
    """Number of resources and actions in that report."""
    immediate: int = 0
    """Number of reports made because of a new resource or action."""
    reported_at: int = 0
    """The newest hit at the last of these reports, and the watermark."""
    reported_watermark: int = 0


def report(
    old: ReportedAlert | None, run: OpenRun, state: str, size: tuple[int, int], watermark: int, *, capped: bool
) -> tuple[ReportedAlert, bool]:  # fmt: skip
    """Returns the alert to remember, and whether to report it: at its end always; before, when its hits have
    doubled, or for a new resource or action. `size`: as returned by RunHits.size."""
    count, named = size
    worth = f"{state} {capped} {count} {named}" if state == "ended" else f"{state} {capped} {count.bit_length()}"  # fmt: skip
    front = run.end[0]
    if old is None or (old.digest and old.digest != worth.encode()):
        news = old.immediate if old else 0
        return ReportedAlert(run.begins, front, worth.encode(), old.held if old else False, named, news, front, watermark), True  # fmt: skip
    first, old.begins, old.last, old.digest = not old.digest, run.begins, front, worth.encode()
    if first or named <= old.named or state == "ended":
        old.named = named if first else max(named, old.named)
        return old, False
    waited = old.immediate < MAX_IMMEDIATE or front >= old.reported_at + MINUTE
    if not waited and watermark < old.reported_watermark + MINUTE:
        return old, False
    old.named, old.immediate, old.reported_at, old.reported_watermark = (
        named,
        old.immediate + 1,
        front,
        watermark,
    )
    return old, True


def superseded(
    reported: Mapping[str, ReportedAlert],
    told: Mapping[str, ReportedAlert],
    runs: Sequence[OpenRun],
) -> Iterator[dict[str, Any]]:
    """Returns alerts that no longer exist: a late hit joined them to another, or (for conditions that more hits
    can undo) invalidated them."""
    for id, old in reported.items():
        if id in told:
            continue
        into = next((r.id for r in runs if r.begins <= old.last and old.begins <= r.end[0]), None)  # fmt: skip
        state = "merged" if into else "withdrawn"
        yield {"id": id, "state": state, "merged_into": into, "begins": old.begins, "last": old.last, "told": old, "new": False}  # fmt: skip


def revision(word: Mapping[str, Any], seen: int) -> int:
    """Returns the revision. It grows with the hits taken; for the same hits, with the number of them known to
    belong to the alert (which grows with time where absence is required), and with the rank of the state. Reports
    are not counted: a worker that was killed may have sent more than it stored."""
    run: Run | None = word.get("run")
    known = min(run.count, REVISION_STEP - 2) if run else REVISION_STEP - 1
    return 4 * (REVISION_STEP * seen + known) + RANK[word["state"]]
