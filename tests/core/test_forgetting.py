"""Nothing is kept for ever of what is over: dead states, findings that have ended, what was only ever heard of."""

import orjson
import pytest

from driftline.pipeline.records.topics import CONTROL
from driftline.pipeline.state.rows import EXCEPTIONS_KEY, RULES_KEY, SOURCES_KEY, WHOLE_KEY
from tests.core.test_baselines import said
from tests.core.test_ghosts import gone as out_of_watch
from tests.core.world import World, change, gone, key, minute
from tests.core.years import Years

DAY = 24 * 60
KEPT = {EXCEPTIONS_KEY, RULES_KEY, SOURCES_KEY, WHOLE_KEY}


def rows(world: World) -> set[bytes]:
    """What is kept of resources and sessions."""
    return {key_ for key_, row in world._rows.items() if row is not None} - KEPT


def test_a_dead_state_and_its_findings_are_forgotten_after_thirty_days() -> None:
    world = World()
    world.snapshot(key(0, False))
    world.snapshot(gone(10))
    world.tick(30 * DAY)
    assert (len(world.findings), len(rows(world))) == (3, 2)
    world.tick(30 * DAY + 11)
    assert (world.findings, rows(world)) == ({}, set())


def test_what_comes_back_before_is_not() -> None:
    world = World()
    world.snapshot(key(0, False))
    world.snapshot(gone(10))
    world.snapshot(key(29 * DAY, False))
    world.tick(31 * DAY)
    assert world.brief()[0] == "open"
    assert world.finding().reopened == 1


def test_what_comes_back_after_begins_anew_with_a_later_revision() -> None:
    world = World()
    world.snapshot(key(0, False))
    world.snapshot(gone(10))
    before = world.finding().revision
    world.tick(40 * DAY)
    world.snapshot(key(41 * DAY, False))
    assert world.brief() == ("open", "failed", "opened")
    assert world.finding().revision > before


@pytest.mark.parametrize("reason", ["account_gone", "forgotten"])
def test_what_is_out_of_what_is_watched_is_forgotten_too(reason: str) -> None:
    world = World()
    world.snapshot(key(0, False))
    world.feed(CONTROL.name, out_of_watch(60, reason))
    world.tick(31 * DAY)
    assert (world.findings, rows(world)) == ({}, set())


def test_what_was_only_heard_of_is_forgotten() -> None:
    world = World()
    world.heard(0)
    world.tick(0)
    world.change(change(1))
    assert len(rows(world)) == 2
    world.change(change(20 * DAY))
    world.tick(40 * DAY)
    assert len(rows(world)) == 2
    world.tick(51 * DAY)
    assert rows(world) == set()


@pytest.mark.parametrize("revoked", [False, True])
def test_a_baseline_of_what_is_never_read_is_forgotten(revoked: bool) -> None:
    world = World()
    said(world, kind="declared")
    world.tick(29 * DAY)
    assert len(rows(world)) == 2
    said(world, at=20 * DAY, kind="declared", revoked=minute(20 * DAY) if revoked else None)
    world.tick(49 * DAY)
    assert len(rows(world)) == 2
    world.tick(51 * DAY)
    assert rows(world) == set()


def test_what_is_declared_and_deleted_is_not_over() -> None:
    world = World()
    world.snapshot(key(0))
    said(world, kind="declared")
    world.snapshot(gone(60))
    world.tick(40 * DAY)
    assert any(orjson.loads(f)["status"] == "open" for f in world.findings.values())


def test_a_state_and_topics_stay_flat_over_years_of_churn() -> None:
    """Short: three months of five resources, one of which is replaced a day. `tests/bench/forgetting.py` is the long one."""
    years = Years(resources=5, replaced=1)
    sizes = [years.month() for _ in range(3)]
    assert sizes[-1].rows <= sizes[1].rows * 1.1 + 4
    assert sizes[-1].findings <= sizes[1].findings * 1.1 + 4
