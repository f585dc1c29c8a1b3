"""The demo's pure pieces: what it calls wrong, what it shows, and what it takes from a person's environment."""

import io
import signal
import time
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from driftline.pipeline.cli import demo
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.demo import stage
from driftline.pipeline.demo.estate import BUCKETS, GROUPS, KEYS, REGIONS, ROLES, USERS, VOLUMES
from driftline.pipeline.demo.patience import NotSeen, Patience
from driftline.pipeline.demo.probe import LAST, UNIT, Probe
from driftline.pipeline.demo.show import Rate, line, severities, table, transitions
from driftline.pipeline.demo.stage import own_environment
from driftline.pipeline.demo.steps import LIMITS, NAMES, Play, Step, method, steps
from driftline.pipeline.demo.truth import (
    BLOCK,
    RULES,
    SSH,
    Shown,
    latency,
    moved,
    told_twice,
    wrong,
)
from driftline.pipeline.rulebook import builtin_folder, rule_files

OPEN = Shown("1", SSH, "group", "AWS::EC2::SecurityGroup", "1", "open", "failed", 0, "2026-01-01")
CLEAR = Shown("2", BLOCK, "bucket", "AWS::S3::Bucket", "1", "clear", "passed", 0, "")
TRUTH = {(SSH, "group"): "open", (BLOCK, "bucket"): "clear"}


def test_all_as_it_was_built_is_right() -> None:
    assert wrong(TRUTH, [OPEN, CLEAR]) == []


@pytest.mark.parametrize(
    ("documents", "said"),
    [
        ([OPEN], "missing, expected clear"),
        ([replace(OPEN, status="resolved"), CLEAR], "resolved, expected open"),
        ([OPEN, CLEAR, replace(OPEN, uid="another")], "open without a fault"),
    ],
)
def test_what_is_missing_otherwise_or_too_much_is_named(documents: list[Shown], said: str) -> None:
    (told,) = wrong(TRUTH, documents)
    assert said in told


def test_what_nobody_made_and_other_rules_do_not_count() -> None:
    default = replace(CLEAR, uid="a default of the cloud")
    other = replace(OPEN, rule="a rule that a person added", uid="bucket")
    assert wrong(TRUTH, [OPEN, CLEAR, default, other]) == []


def test_the_rules_that_are_compared_are_there() -> None:
    known = {path.stem for path in rule_files(builtin_folder())}
    assert set(RULES) <= known


def test_a_finding_that_moved_is_named_unless_it_should() -> None:
    assert moved([OPEN, CLEAR], [OPEN, CLEAR]) == []
    for after in ([OPEN], [OPEN, replace(CLEAR, status="resolved")], [OPEN, replace(CLEAR, reopened=1)],
                  [OPEN, replace(CLEAR, opened_at="now")]):  # fmt: skip
        assert len(moved([OPEN, CLEAR], after)) == 1
        assert moved([OPEN, CLEAR], after, ["2"]) == []
    assert len(moved([OPEN], [OPEN, CLEAR])) == 1
    assert moved([OPEN], [replace(OPEN, evaluation="unknown")]) == []


def said(reopened: int, opened: str, resolved: str | None = None) -> dict[str, Any]:
    own = {"reopened": reopened, "opened_at": opened, "resolved_at": resolved}
    return {"event": {"id": "1"}, "driftline": own}


def test_a_transition_that_was_made_twice_is_named() -> None:
    whole = [said(0, "1"), said(0, "1"), said(0, "1", "2"), said(1, "3"), said(1, "3", "4")]
    assert told_twice(whole) == []
    assert told_twice([*whole, said(1, "3", "5")]) == ["1: resolved_at 4 and 5, reopened 1"]
    assert told_twice([*whole, said(0, "0")]) == ["1: opened_at 0 and 1, reopened 0"]


def test_latency_is_from_the_reading_to_elasticsearch() -> None:
    source = {
        "driftline": {"last_seen": "2026-01-01T00:00:01.500000Z"},
        "event": {"ingested": "2026-01-01T00:00:02.750000Z"},
    }
    assert latency(source) == 1.25
    source["event"]["ingested"] = "2026-01-01T00:00:01Z"
    assert latency(source) == 0, "another clock"
    assert latency({"driftline": {}, "event": {}}) is None


def test_a_rate_survives_a_worker_that_begins_again_or_does_not_answer() -> None:
    rate = Rate()
    assert rate.per_second == 0
    rate.add(0.0, {"a": 100, "b": 10})
    rate.add(1.0, {"b": 20})
    rate.add(2.0, {"a": 30, "b": 20})
    assert rate.total == 100 + 20 + 30
    assert rate.per_second == 20


def test_every_step_has_its_words_and_fits() -> None:
    for step in steps():
        assert step.name in NAMES
        assert step.what
        assert not step.seen
        assert step.seconds is None
        assert len(line(step)) < 80


DETAILS = ("75 faults of 8 rules open, 291 good clear", "open 10.7 s after the change", "resolved 9.6 s after the change",
           "the same document, reopened once", "suppressed after 10.7 s, ended by itself", "not as declared after 10.7 s, by mallory", "alert after 10.7 s: 4 reads from 192.0.2.7", "6 findings gone, resource_deleted once", "36 unknown, none closed; known again",
           "at 15 of 99 scopes; none lost or twice", "evaluated meanwhile, arrived 19.9 s later")  # fmt: skip


def printed(*things: object, width: int = 80) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width)
    for thing in things:
        console.print(thing)
    return [text.rstrip() for text in out.getvalue().splitlines()]


def test_the_table_is_a_line_a_step_in_80_columns_and_shows_all_of_it() -> None:
    played = [Step(n, "", True, 123.4, d) for n, d in zip(NAMES, DETAILS, strict=True)]
    lines = printed(table(played))
    assert len(lines) == 1 + len(NAMES)
    for detail, text in zip(DETAILS, lines[1:], strict=True):
        assert text.endswith(detail)


def test_what_was_not_seen_is_named_and_a_long_reason_cut() -> None:
    played = [Step("fixed", "", False, 240.0, "not seen in time: resolved; 3 wrong: " + "x" * 500), Step("opened again", "")]  # fmt: skip
    first, second = printed(table(played), width=60)[1:]
    assert "NOT SEEN" in first
    assert "240.0" in first
    assert "not seen in" in first
    assert "not run" in second
    assert line(played[0]).split("  ")[0] == "NOT SEEN 240.0 s"


def test_a_hostile_name_stays_a_name() -> None:
    source = {
        "driftline": {"reason": "opened", "severity": "high", "last_seen": "2026-01-01T00:00:00Z"},
        "event": {"ingested": "2026-01-01T00:00:02Z"},
        "resource": {"name": "[red]a\x1b[2J" + "long " * 50},
        "rule": {"id": "aws-" + "r" * 60},
    }
    lines = printed(transitions([source] * 3))
    assert len(lines) == 4
    assert all(len(text) <= 80 and "\x1b" not in text for text in lines)
    assert "[red]a" in lines[1]


def test_severities_are_counted_worst_first() -> None:
    assert severities({"low": 2, "critical": 1}).plain.startswith("1 critical 0 high")


def test_nothing_of_a_real_cloud_comes_into_the_demo() -> None:
    given = {"AWS_PROFILE": "real", "AWS_ACCESS_KEY_ID": "real", "DRIFTLINE_KAFKA__BOOTSTRAP_SERVERS": "real:9092",
             "DRIFTLINE_CACHE": "/c", "HTTPS_PROXY": "http://proxy", "NO_PROXY": "intra", "PATH": "/bin"}  # fmt: skip
    env = own_environment(given)
    assert "real" not in " ".join(env.values())
    assert (env["DRIFTLINE_CACHE"], env["PATH"], env["HTTPS_PROXY"]) == ("/c", "/bin", "http://proxy")  # fmt: skip
    assert env["NO_PROXY"] == env["no_proxy"] == "intra,127.0.0.1"
    assert env["AWS_CONFIG_FILE"] == "/dev/null"


def test_a_dead_owners_folder_is_removed_and_a_living_ones_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLINE_CACHE", str(tmp_path))
    (tmp_path / "demo-dead" / "state").mkdir(parents=True)
    (tmp_path / "demo-dead" / "owner").touch()
    (tmp_path / "test-other").mkdir()
    first, owner = stage._folder()
    second, another = stage._folder()
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} == {
        first.name,
        second.name,
        "test-other",
    }
    owner.close()
    third, last = stage._folder()
    assert not first.exists()
    assert second.exists()
    another.close()
    last.close()
    assert third.stat().st_mode & 0o777 == 0o711


def test_the_organization_has_more_than_200_resources() -> None:
    in_region, in_account = GROUPS + KEYS + VOLUMES, BUCKETS + USERS + ROLES
    assert 3 * (len(REGIONS) * in_region + in_account) >= 200


def test_without_the_extra_a_person_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        stage, "find_spec", lambda name: None if name == "moto" else find_spec(name)
    )
    with pytest.raises(UserError, match=r"needs moto \(run: pip install 'driftline\[demo\]'"):
        stage.needed()


def test_a_signal_is_heard_at_the_next_question_and_time_has_an_end() -> None:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}  # fmt: skip
    try:
        patience = demo.Told(time.monotonic() + 60)
        patience("anything")
        for number in kept:
            patience.stopped = False
            signal.raise_signal(number)
            with pytest.raises(KeyboardInterrupt):
                patience("anything")
        late = demo.Told(time.monotonic() - 1)
        with pytest.raises(TimeoutError, match="not seen within --duration: resolved"):
            late("resolved")
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def test_a_limit_is_in_seconds_of_an_idle_machine() -> None:
    """Ten times slower is ten times longer, from when that is measured."""
    at, cost = [0.0], [UNIT]

    def work() -> None:
        at[0] += cost[0]

    probe = Probe(work, lambda: at[0])
    probe.measure()
    assert probe.slower == pytest.approx(1)
    at[0] += 10
    assert probe.now() == pytest.approx(10 + UNIT)
    cost[0] = 10 * UNIT
    probe.measure()
    assert probe.slower == pytest.approx(10)
    before = probe.now()
    at[0] += 100
    assert probe.now() == pytest.approx(before + 10)
    cost[0] = UNIT
    for _ in range(LAST):
        probe.measure()
    assert probe.slower == pytest.approx(1)


def test_a_step_that_is_over_its_limit_says_what_was_there_instead() -> None:
    at = [0.0]
    probe = Probe(lambda: None, lambda: at[0])

    def watch(_: str) -> None:
        at[0] += 1

    patience = Patience(watch, probe)
    patience.begin(5)
    with pytest.raises(
        NotSeen, match=r"its limit \(5 s of an idle machine, .* open; seen: resolved, passed"
    ):
        patience.until(lambda: False, "open", 0, lambda: "resolved, passed")
    patience.begin(5)
    with pytest.raises(NotSeen, match=r"seen: 4 wrong: a, b, c$"):
        patience.until_none(lambda: ["a", "b", "c", "d"], "nothing wrong")
    assert patience.until(lambda: True, "at once") < 5


def test_a_step_that_was_not_run_is_not_called_unseen() -> None:
    failed, after = Step("fixed", "", False, 3.0, "why"), Step("opened again", "")
    assert "NOT SEEN" in line(failed)
    assert "not run" in line(after)
    assert (failed.run, after.run) == (True, False)
    assert after.as_dict()["run"] is False


def test_every_step_has_a_limit_and_a_method() -> None:
    assert list(LIMITS) == list(NAMES)
    assert all(hasattr(Play, method(name)) for name in NAMES)


def test_a_duration_that_is_none_is_a_usage_error() -> None:
    done = CliRunner().invoke(demo.command, ["--duration", "0"], standalone_mode=False)
    assert isinstance(done.exception, click.UsageError)
