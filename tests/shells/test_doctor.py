"""`doctor`: everything is asked side by side, told at once, bounded in time; each line has a next step that exists."""

import json
import re
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.common.errors import Problem, UserError
from driftline.pipeline.ops.checks import (
    Check,
    Line,
    State,
    examine,
    exit_code,
    failed,
    folded,
    side_by_side,
)
from tests.deploy.words import parse
from tests.shells.command import Command, Said

SECRETS = ("hunter2-kafka", "hunter2-elastic", "hunter2-redaction-key")
SETTINGS = f"""\
kafka:
  bootstrap_servers: 127.0.0.1:1
  security_protocol: SASL_PLAINTEXT
  sasl_mechanism: PLAIN
  sasl_username: worker
  sasl_password: {SECRETS[0]}
elasticsearch: {{url: "http://127.0.0.1:1", username: elastic, password: {SECRETS[1]}}}
redaction: {{key: {SECRETS[2]}}}
worker: {{state_dir: state}}
"""


def check(what: str, *lines: Line, needs: str | None = None) -> Check:
    return Check(what, lambda: lines, needs, f"mend {what}")


def good(what: str) -> Line:
    return Line(what, "ok", "fine")


def test_what_hangs_delays_nothing_and_hides_nothing() -> None:
    never = threading.Event()

    def hangs() -> Iterator[Line]:
        yield Line("slow", "warn", "said before it hung")
        never.wait()

    began = time.monotonic()
    lines = examine([Check("slow", hangs, silent="look at it"), check("quick", good("quick"))], 0.3)
    assert time.monotonic() - began < 2
    assert [(x.what, x.state) for x in lines] == [("slow", "warn"), ("slow", "unknown"), ("quick", "ok")]  # fmt: skip
    assert lines[1] == Line("slow", "unknown", "no answer within 0.3 s", "look at it")
    never.set()


def test_checks_run_side_by_side() -> None:
    """Each waits until all have come: one after another they would never end."""
    meeting = threading.Barrier(5)

    def meet() -> Iterator[Line]:
        meeting.wait(10)
        yield good("one")

    assert exit_code(examine([Check(str(n), meet) for n in range(5)], 20)) == 0


@pytest.mark.parametrize(("state", "asked"), [("ok", True), ("warn", True), ("fail", False), ("unknown", False)])  # fmt: skip
def test_what_needs_another_is_asked_only_where_that_is_sound(state: State, asked: bool) -> None:
    first = check("Kafka", Line("Kafka", state, "as it is"))
    *_, last = examine([first, check("topics", good("topics"), needs="Kafka")], 5)
    assert last == (good("topics") if asked else
                    Line("topics", "unknown", "not checked: needs Kafka", "fix Kafka first"))  # fmt: skip


def test_a_check_that_breaks_is_told_as_what_it_is() -> None:
    def raises(error: Exception) -> Callable[[], list[Line]]:
        def ask() -> list[Line]:
            raise error

        return ask

    mine = Check(
        "a",
        raises(
            UserError(
                Problem("one is wrong", "do this"), Problem("another", "run: driftline clock")
            )
        ),
    )
    ours = Check("b", raises(ZeroDivisionError("oh")))
    assert examine([mine, ours], 5) == [
        Line("a", "fail", "one is wrong", "do this"),
        Line("a", "fail", "another", "run: driftline clock"),
        Line("b", "unknown", "ZeroDivisionError: oh", "please report it"),
    ]


@pytest.mark.parametrize(("states", "code"), [
    ((), 0), (("ok",), 0), (("ok", "warn"), 1), (("unknown", "ok"), 1), (("warn", "fail", "unknown"), 2),
])  # fmt: skip
def test_exit_codes(states: tuple[State, ...], code: int) -> None:
    assert exit_code(Line("x", state, "") for state in states) == code


@pytest.mark.parametrize(("problem", "detail", "step"), [
    (Problem("missing", "run: driftline topics create", "topic x"), "topic x: missing", "run: driftline topics create"),
    (Problem("f (a) is wrong (really)"), "f (a) is wrong (really)", ""),
    (Problem("no answer", "is it running?", "Kafka", see="driftline doctor"), "Kafka: no answer", "is it running?"),
])  # fmt: skip
def test_a_problem_becomes_a_line_by_its_fields(problem: Problem, detail: str, step: str) -> None:
    assert failed("x", problem) == Line("x", "fail", detail, step)


def test_many_are_asked_at_once_and_the_late_ones_are_named() -> None:
    never, error = threading.Event(), ValueError("no")

    def ask(n: int) -> None:
        if n == 1:
            raise error
        if n == 2:
            never.wait()

    answers = side_by_side([0, 1, 2, 3], ask, 0.3, at_once=2)
    assert answers[:2] == [(0, None), (1, error)]
    assert isinstance(answers[2][1], TimeoutError)
    assert answers[3] == (3, None)
    assert side_by_side([], ask, 1) == []
    never.set()


def told(said: Said) -> dict[str, dict[str, str]]:
    """The checks by their names; every command in a next step must exist."""
    found = {line["what"]: line for line in json.loads(said.out)["checks"]}
    for line in found.values():
        for words in re.findall(r"driftline ([a-z][^();,]*)", line["next"]):
            parse(shlex.split(words))
        if line["state"] in ("fail", "warn"):
            assert line["next"], line
    return found


@pytest.fixture
def doctor(driftline: Command, tmp_path: Path) -> Callable[..., Said]:
    path = tmp_path / "driftline.yaml"
    path.write_text(SETTINGS)
    path.chmod(0o600)

    def ask(*words: object) -> Said:
        said = driftline("doctor", "--timeout", 2, *words)
        assert not [secret for secret in SECRETS if secret in said.out + said.err]
        return said

    return ask


def test_nothing_is_there_and_everything_says_so(
    doctor: Callable[..., Said], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null",
                        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    said = doctor("--format", "json", "--timeout", 15)
    found = told(said)
    assert said.code == 2
    assert {what: line["state"] for what, line in found.items()} == {
        "settings": "ok", "redaction key": "ok", "rules": "ok", "detections": "warn", "state folder": "ok",
        "Kafka": "fail", "topics": "unknown", "clock": "unknown", "change events": "unknown", "worker": "unknown", "correlate": "unknown", "sink": "unknown",
        "sweeps": "unknown", "exceptions": "unknown", "dead letters": "unknown", "Elasticsearch": "fail", "templates": "unknown",
        "AWS credentials": "fail", "AWS accounts": "unknown", "AWS permissions": "unknown",
    }  # fmt: skip
    assert "127.0.0.1:1" in found["Kafka"]["detail"]
    assert "fix Kafka first" in found["topics"]["next"]
    table = doctor("--only", "settings", "--only", "elasticsearch")
    assert table.code == 2
    assert "Kafka" not in table.out
    assert "what" in table.out.splitlines()[0]


def test_settings_that_cannot_be_read_are_told_with_all_that_was_not_asked(
    doctor: Callable[..., Said], tmp_path: Path
) -> None:
    (tmp_path / "driftline.yaml").write_text("kafka: {bootstrap: x}\nworker: {port: much}\n")
    said = doctor("--format", "json", "--only", "settings", "--only", "kafka")
    lines = json.loads(said.out)["checks"]
    assert said.code == 2
    assert [x["what"] for x in lines if x["state"] == "fail"] == ["settings", "settings"]
    assert {x["what"] for x in lines if x["state"] == "unknown"} == {
        "Kafka", "topics", "clock", "change events", "worker", "correlate", "sink", "sweeps", "exceptions", "dead letters"
    }  # fmt: skip


@pytest.mark.parametrize(("key", "state"), [("", "fail"), ("redaction: {key: short}", "fail"),
                                            ("redaction: {key: long-enough-it-is}", "ok")])  # fmt: skip
def test_the_redaction_key(
    doctor: Callable[..., Said], tmp_path: Path, key: str, state: str
) -> None:
    (tmp_path / "driftline.yaml").write_text(f"worker: {{state_dir: state}}\n{key}\n")
    assert told(doctor("--only", "settings", "--format", "json"))["redaction key"]["state"] == state


def test_a_state_that_others_may_read(doctor: Callable[..., Said], tmp_path: Path) -> None:
    folder = tmp_path / "state" / "driftline-assess"

    def line() -> dict[str, str]:
        return told(doctor("--only", "settings", "--format", "json"))["state folder"]

    assert line()["state"] == "ok"
    (folder / "v1").mkdir(parents=True)
    folder.chmod(0o700)
    (folder / "v1").chmod(0o700)
    (folder / "v1" / "rows").touch(mode=0o600)
    assert line()["state"] == "ok"
    (folder / "v1" / "rows").chmod(0o640)
    assert (line()["state"], line()["next"]) == ("fail", "chmod -R go= state/driftline-assess")
    assert "1 of 3 files" in line()["detail"]
    (folder / "v1" / "rows").chmod(0o600)
    folder.chmod(0o755)
    assert line()["state"] == "fail"


def test_detections_that_cannot_fire_are_named_with_what_they_want() -> None:
    from driftline.pipeline.settings.blocks import settings_model
    from driftline.pipeline.tasks.doctor import _detections

    def lines(**events: Any) -> list[tuple[str, str]]:
        settings = settings_model().model_validate({"aws": {"events": events}})
        return [(line.state, line.detail) for line in _detections(settings)]

    url = "https://sqs.eu-west-1.amazonaws.com/111111111111/q"
    everything = lines(
        queues=[{"url": url, "source": "eventbridge"}, {"url": url + "2", "source": "log"}]
    )
    assert [state for state, _ in everything] == ["ok", "ok"]
    assert "read-only" in everything[1][1]
    bridge = lines(queues=[{"url": url, "source": "eventbridge"}])
    (wanting,) = [text for state, text in bridge if state == "warn"]
    assert wanting.startswith("data events (who reads objects) are not delivered: ")
    assert "aws_public_bucket_read_by_stranger" in wanting
    polled = [text for state, text in lines(lookup=True) if state == "warn"]
    assert [text.split(" are not")[0] for text in polled] == ["data events (who reads objects)", "findings of GuardDuty", "findings of Inspector"]  # fmt: skip


def test_what_several_checks_say_alike_is_one_line_for_people() -> None:
    denied = ("denied (No)", "allow them")
    lines = [Line(f"check {n}", "unknown", "not checked", "fix Kafka first") for n in range(6)]
    lines += [Line("alone", "ok", "fine"), Line("type 1", "fail", "a:List is denied", "allow it", denied),
              Line("type 2", "fail", "b:List is denied", "allow it too", denied)]  # fmt: skip
    assert folded(lines) == [
        Line("check 0, check 1, check 2, check 3 and 2 more", "unknown", "not checked", "fix Kafka first"),
        Line("alone", "ok", "fine"),
        Line("type 1, type 2", "fail", *denied),
    ]  # fmt: skip
    assert folded(lines[6:8]) == lines[6:8]
