"""What finding the owner adds to a changed reading, in microseconds of thread time: pairs of the same readings, with and
without sources of owners, in turn."""

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from driftline.pipeline.assess import step as assess
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.ownership.sources import OwnerRow, Owners
from driftline.pipeline.assess.ownership.step import assign_owner
from driftline.pipeline.model import Ancestor, CloudAccount, Snapshot
from driftline.pipeline.state.resource import State
from tests.core.world import key, rulebook

ROUNDS, EACH = 21, 2000
ACCOUNT = CloudAccount(kind="account", id="111111111111", name="shop", ancestors=[
    Ancestor(kind="organizational_unit", id="ou-2", name="Payments"), Ancestor(kind="organization", id="o-1"),
])  # fmt: skip
TAGS = {f"key-{number}": f"value {number}" for number in range(9)}
ROWS = [OwnerRow(f"team-{number}", account=f"{number:012}") for number in range(200)]
CASES: dict[str, tuple[dict[str, str], Owners]] = {
    "owner by tag": ({**TAGS, "Owner": "bea@example.com"}, Owners()),
    "nobody": (TAGS, Owners()),
    "fallback after 200 rows of a map": (TAGS, Owners(rows=ROWS, fallback="all")),
}


def run() -> dict[str, Any]:
    """By case: the step alone with the owner unchanged, and found anew; and what a whole changed reading takes."""
    return {name: _case(tags, owners) for name, (tags, owners) in CASES.items()}


def _case(tags: dict[str, str], owners: Owners) -> dict[str, float]:
    options, without = AssessOptions(owners=owners), AssessOptions(owners=Owners(sources=[]))
    readings = [key(at, bool(at % 2), tags=tags, cloud_account=ACCOUNT) for at in range(2)]
    first = assess.apply(None, readings[0], b"", rulebook(), options).state
    unchanged = _work(first, readings[1], options)
    anew = _work(first, readings[1], options)
    anew.body.resource = {**anew.body.resource, "name": "another"}
    known = anew.body.owner

    def find() -> None:
        anew.body.owner = known
        assign_owner(anew)

    pairs = [(_whole(readings, options), _whole(readings, without)) for _ in range(5)]
    return {
        "unchanged_us": _per(lambda: assign_owner(unchanged)), "found_anew_us": _per(find),
        "changed_reading_us": round(median(a for a, _ in pairs), 1),
        "added_us": round(median(a - b for a, b in pairs), 1),
    }  # fmt: skip


def _work(state: State, snapshot: Snapshot, options: AssessOptions) -> Any:
    """The working value as it is when the step is called."""
    from driftline.pipeline.assess.assessment import Assessment
    from driftline.pipeline.assess.merge import merge
    from driftline.pipeline.model import micros

    work = Assessment.begin(state, micros(snapshot.captured_at), rulebook(), options)
    merge(work, snapshot)
    return work


def _whole(readings: list[Snapshot], options: AssessOptions) -> float:
    state = assess.apply(None, readings[0], b"", rulebook(), options).state
    return _per(lambda: assess.apply(state, readings[1], b"", rulebook(), options), 5, 200)


def _per(call: Callable[[], Any], rounds: int = ROUNDS, each: int = EACH) -> float:
    took = []
    for _ in range(rounds):
        began = time.thread_time_ns()
        for _ in range(each):
            call()
        took.append((time.thread_time_ns() - began) / each / 1000)
    return round(median(took), 2)


if __name__ == "__main__":
    import json

    print(json.dumps(run(), indent=2))
