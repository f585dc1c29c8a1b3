"""The life of a finding, said in the records that make it."""

import orjson
import pytest

from driftline.pipeline.model import Finding, Unread, micros
from driftline.pipeline.records.counts import Outcome
from driftline.pipeline.records.topics import SNAPSHOTS
from tests.core.world import UID, World, denied, gone, key, minute, value


@pytest.fixture
def world() -> World:
    return World()


def test_a_good_resource_is_clear(world: World) -> None:
    world.snapshot(key(0))
    assert world.brief() == ("clear", "passed", "holds")
    assert world.finding().risk.score == 0


def test_opened_fixed_reopened_is_one_finding(world: World) -> None:
    world.snapshot(key(0))
    world.snapshot(key(1, rotation=False))
    assert world.brief() == ("open", "failed", "opened")
    first = world.finding()
    assert [e.model_dump() for e in first.evidence] == [
        {"path": "config.rotation.KeyRotationEnabled", "value": False}
    ]
    assert first.risk.score == sum(factor.share for factor in first.risk.factors) > 0
    world.snapshot(key(2))
    assert world.brief() == ("resolved", "passed", "fixed")
    assert world.finding().resolved_at == minute(2)
    world.snapshot(key(3, rotation=False))
    assert world.brief() == ("open", "failed", "reopened")
    last = world.finding()
    assert (last.id, last.reopened, last.first_seen) == (first.id, 1, minute(0))
    assert (last.opened_at, last.resolved_at) == (minute(3), None)


def test_unknown_neither_opens_nor_closes(world: World) -> None:
    world.snapshot(denied(0))
    assert world.brief() == ("clear", "unknown", "unread")
    world.snapshot(key(1, rotation=False))
    world.snapshot(denied(2))
    assert world.brief() == ("open", "unknown", "unread")
    assert "denied" in world.finding().cause
    assert world.finding().evaluated_at == minute(1)
    world.snapshot(key(3, rotation=False))
    assert world.brief() == ("open", "failed", "opened")
    assert world.finding().opened_at == minute(1)


def test_tags_that_may_not_be_read_are_kept_and_heard_of_again(world: World) -> None:
    unread = [Unread(part="tags", reason="denied", code="AccessDenied")]
    world.snapshot(key(0, tags={"env": "prod"}))
    world.snapshot(key(1, rotation=False, unread=unread))
    assert world.finding().resource.tags == {"env": "prod"}
    world.snapshot(key(2, rotation=False, tags={"env": "prod"}))
    world.snapshot(key(3, rotation=False, tags={"env": "test"}))
    assert world.finding().resource.tags == {"env": "test"}
    drift = world.drift("tags")
    assert [(change.path, change.before, change.after) for change in drift.changes] == [("/tags/env", "prod", "test")]  # fmt: skip


def test_a_resource_that_may_not_be_read_any_more_keeps_its_name_and_tags(world: World) -> None:
    named = key(0, rotation=False).model_copy(update={"name": "payments", "tags": {"env": "prod"}})
    world.snapshot(named)
    world.snapshot(denied(2).model_copy(update={"name": "", "tags": {}}))
    finding = world.finding()
    assert finding.evaluation == "unknown"
    assert (finding.resource.name, finding.resource.tags) == ("payments", {"env": "prod"})
    world.snapshot(named.model_copy(update={"captured_at": minute(3), "name": "", "tags": {}, "parts": key(3).parts}))  # fmt: skip
    assert (world.finding().resource.name, world.finding().resource.tags) == ("", {})


def test_one_denied_part_hides_only_its_own_rules(world: World) -> None:
    world.snapshot(key(0, rotation=False))
    world.snapshot(key(1, rotation=None, unread=[{"part": "rotation", "reason": "throttled"}]))
    assert world.brief() == ("open", "unknown", "unread")
    assert world.brief("t-patient") == ("clear", "passed", "holds")


def test_a_part_that_is_not_covered_is_kept(world: World) -> None:
    world.snapshot(key(0, rotation=False))
    world.snapshot(key(1, rotation=None))
    assert world.brief() == ("open", "failed", "opened")


def test_a_denial_does_not_hide_what_is_read_after_it(world: World) -> None:
    world.snapshot(key(0))
    world.snapshot(denied(1))
    world.snapshot(key(2, enabled=None))
    assert world.brief() == ("clear", "passed", "holds")
    assert world.brief("t-patient") == ("clear", "unknown", "unread")


def test_deleted_resolves_with_its_own_reason_and_retires(world: World) -> None:
    world.snapshot(key(0, rotation=False))
    world.snapshot(gone(1))
    assert world.brief() == ("resolved", "failed", "resource_deleted")
    assert world.finding().retired
    assert world.finding("t-patient").retired
    assert world.finding("t-patient").status == "clear"


def test_deleted_resources_come_back_as_reopened(world: World) -> None:
    world.snapshot(key(0, rotation=False))
    world.snapshot(gone(1))
    world.snapshot(key(2, rotation=False))
    assert world.brief() == ("open", "failed", "reopened")
    assert not world.finding().retired


def test_older_records_change_nothing(world: World) -> None:
    world.snapshot(key(5, rotation=False))
    before = dict(world.findings)
    world.snapshot(key(4))
    world.snapshot(gone(3))
    world.snapshot(denied(2))
    assert world.findings == before
    world.snapshot(gone(6))
    before = dict(world.findings)
    world.snapshot(key(5.5))
    assert world.findings == before


def test_for_waits_and_the_opening_has_the_time_it_ran_out(world: World) -> None:
    world.snapshot(key(0, enabled=False))
    assert world.brief("t-patient") == ("clear", "failed", "pending")
    assert world.finding("t-patient").pending_for == 600
    world.tick(9.9)
    assert world.brief("t-patient") == ("clear", "failed", "pending")
    world.tick(60)
    assert world.brief("t-patient") == ("open", "failed", "opened")
    assert world.finding("t-patient").opened_at == minute(10)


def test_for_starts_anew_after_a_pass_or_an_unknown(world: World) -> None:
    world.snapshot(key(0, enabled=False))
    world.snapshot(key(5))
    world.snapshot(key(6, enabled=False))
    world.tick(15)
    assert world.finding("t-patient").status == "clear"
    world.snapshot(denied(15.5))
    world.snapshot(key(15.7, enabled=False))
    world.tick(20)
    assert world.finding("t-patient").status == "clear"
    world.tick(26)
    assert world.finding("t-patient").opened_at == minute(25.7)


def test_keep_firing_for_closes_when_it_ran_out(world: World) -> None:
    world.snapshot(key(0, enabled=False))
    world.snapshot(key(10))
    assert world.brief("t-sticky") == ("open", "passed", "keep_firing")
    world.tick(41)
    assert world.brief("t-sticky") == ("resolved", "passed", "fixed")
    assert world.finding("t-sticky").resolved_at == minute(40)


def test_unchanged_readings_say_nothing(world: World) -> None:
    world.snapshot(key(0, rotation=False))
    said = world.said
    for number in range(1, 20):
        world.snapshot(key(number, rotation=False, sweep=f"s{number}"))
    assert world.said == said
    assert world.counts[Outcome.UNCHANGED] == 19


def test_every_true_result_is_said_again_within_12_hours(world: World) -> None:
    world.snapshot(key(0, rotation=False))
    first = world.finding()
    for hour in range(1, 37):
        if hour % 6 == 0:
            world.snapshot(key(hour * 60, rotation=False))
        world.tick(hour * 60)
        assert world.finding().last_seen > minute((hour - 12) * 60)
    again = world.finding()
    assert (again.restated, again.status, again.opened_at) == (True, "open", first.opened_at)
    assert again.updated_at == first.updated_at


def test_a_restatement_without_a_recent_reading_is_unknown(world: World) -> None:
    world.snapshot(key(0, rotation=False))
    world.tick(12 * 60)
    world.tick(25 * 60)
    assert world.brief() == ("open", "unknown", "stale")
    world.snapshot(key(26 * 60, rotation=False))
    assert world.brief() == ("open", "failed", "opened")


def test_what_could_not_be_read_is_restated_too(world: World) -> None:
    world.snapshot(key(0, rotation=False))
    world.snapshot(denied(60))
    world.tick(13 * 60)
    assert world.brief() == ("open", "unknown", "unread")
    assert world.finding().last_seen == minute(13 * 60)


def test_a_new_name_or_tag_is_said(world: World) -> None:
    world.snapshot(key(0))
    world.snapshot(key(1, tags={"env": "prod"}))
    assert world.finding().resource.tags == {"env": "prod"}


def test_revisions_never_run_back(world: World) -> None:
    world.snapshot(key(10, rotation=False))
    first = world.finding().revision
    assert first == micros(minute(10)) // 1000
    world.snapshot(key(10 + 1e-5, rotation=True))
    assert world.finding().revision > first


def test_findings_are_the_models_documents(world: World) -> None:
    world.snapshot(key(0, rotation=False, enabled=False))
    for raw in world.findings.values():
        assert orjson.loads(Finding.model_validate_json(raw).encode()) == orjson.loads(raw)


def test_one_bad_element_never_buries_its_batch(world: World) -> None:
    good = value(key(0, rotation=False))[1:-1]
    world.feed(SNAPSHOTS.name, b'[{"uid":"x"},' + good + b",17]")
    assert world.brief()[0] == "open"
    assert [dead.place for dead in world.dead] == [0, 2]
    assert all(UID not in dead.reason for dead in world.dead)


def test_a_scan_opens_at_once_and_says_that_it_would_have_waited(world: World) -> None:
    world.snapshot(key(0, enabled=False))
    world.open_pending()
    assert world.brief("t-patient") == ("open", "failed", "opened")
    assert world.finding("t-patient").pending_for == 600
