"""The core's functions change a copy of a state: what was known before is what the next comparison stands on."""

from collections.abc import Callable

import msgspec
import pytest

from driftline.pipeline.assess import step as assess
from driftline.pipeline.assess.assessment import Step
from driftline.pipeline.assess.decisions.exception_index import ExceptionIndex
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.model import Baseline, RiskException, Snapshot, micros
from driftline.pipeline.state.resource import State
from tests.core.world import TYPE, UID, change, denied, gone, key, minute, rulebook

ACCEPTED = RiskException.model_validate({
    "id": "ex-1", "rule": "t-rotation", "resource": UID, "reason": "an old machine needs it", "owner": "bea",
    "approver": "carol", "at": minute(1), "until": minute(600),
})  # fmt: skip
DAY = 24 * 60


def options() -> AssessOptions:
    index = ExceptionIndex()
    index.add(ACCEPTED)
    return AssessOptions(exceptions=index)


def read(state: State | None, snapshot: Snapshot) -> Step:
    return assess.apply(state, snapshot, b"", rulebook(), options())


def known() -> State:
    """An accepted risk, a finding that waits, a drift with a cause that is not known yet, and an approved baseline."""
    state = read(None, key(0, incarnation="a")).state
    ought = Baseline(uid=UID, type=TYPE, kind="approved", at=minute(1), by="carol", expect={"/key": {"Enabled": True}}, source="x")  # fmt: skip
    state = assess.on_baseline(state, ought, rulebook(), options()).state
    state = assess.on_change(state, change(2), rulebook(), options(), 0).state
    changed = key(3, rotation=False, enabled=False, incarnation="a")
    return assess.apply(state, changed, b"", rulebook(), options(), 0).state


RECORDS: dict[str, Callable[[State], Step]] = {
    "a changed reading": lambda state: read(state, key(5)),
    "a deletion": lambda state: read(state, gone(5)),
    "another resource of the same name": lambda state: read(state, key(5, rotation=False, incarnation="b")),
    "a denial": lambda state: read(state, denied(5)),
    "a late reading": lambda state: read(state, key(1)),
    "a reading days later": lambda state: read(state, key(3 * DAY)),
    "time": lambda state: assess.tick(state, micros(minute(3 * DAY)), rulebook(), options(), micros(minute(3 * DAY))),
    "a change": lambda state: assess.on_change(state, change(4, "bob"), rulebook(), options(), 0),
    "the end of what is watched": lambda state: assess.on_gone(state, "account_gone", micros(minute(5)), rulebook(), options()),
    "other rules": lambda state: assess.reevaluate(state, rulebook().only(["t-rotation"]), options()),
    "the end of a scan": lambda state: assess.open_pending(state, rulebook(), options()),
}  # fmt: skip


@pytest.mark.parametrize("record", RECORDS)
def test_what_was_known_is_never_changed(record: str) -> None:
    state = known()
    assert {life.suppressed for life in state.body.lives.values()} == {True, False}
    before = [msgspec.msgpack.encode(part) for part in (state.head, state.body)]
    step = RECORDS[record](state)
    assert [msgspec.msgpack.encode(part) for part in (state.head, state.body)] == before
    assert step.applied is (record != "a late reading")
    assert step.state is not state or not step.applied
