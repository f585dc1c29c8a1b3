"""Logs: one line of JSON each, whatever stands in it; the facts are fields; nothing for each record."""

import io
import json
import logging
import sys
from typing import Any

import pytest

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.ops import log
from driftline.pipeline.settings.blocks import load_settings
from tests.core.world import World, key, tick, value
from tests.shells.test_report import NASTY


@pytest.fixture
def logger() -> Any:
    """A logger as `start` sets it, and what it wrote."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(log.Json())
    logger = logging.Logger("driftline.test")
    logger.addHandler(handler)
    return logger, out


@pytest.mark.parametrize("text", NASTY)
def test_hostile_text_stays_in_its_line(logger: Any, text: str) -> None:
    writes, out = logger
    writes.warning("a sweep ended", extra={"scope": text, "uid": text, text: 1})
    writes.warning("%s", text)
    try:
        raise ValueError(text)
    except ValueError:
        writes.exception("failed")
    lines = out.getvalue().splitlines()
    assert len(lines) == 3
    assert all(line.isascii() and line.isprintable() for line in lines)
    first, second, third = map(json.loads, lines)
    assert (first["scope"], first["uid"], first["level"]) == (text, text, "warning")
    assert second["message"] == text
    assert "ValueError" in third["error"]


def test_facts_are_fields(logger: Any) -> None:
    writes, out = logger
    facts = {"scope": "aws/1/eu-west-1/T", "uid": "u", "topic": "t", "partition": 3, "offset": 17}
    writes.critical("a record was skipped", extra=facts)
    line = json.loads(out.getvalue())
    assert facts.items() <= line.items()
    assert (line["name"], line["level"]) == ("driftline.test", "critical")
    assert line["at"].endswith("+00:00")


def test_what_cannot_be_written_is_written_as_text(logger: Any, capsys: Any) -> None:
    writes, out = logger
    circle: list[Any] = []
    circle.append(circle)
    writes.info("x", extra={"a": circle})
    writes.info("x", extra={"a": float("nan"), "b": {1, 2}, "c": b"\x00"})
    writes.info("x", extra={"a": {("k",): 1}})
    writes.info("%d and %d", "one")
    writes.info("x", extra={"level": "mine", "at": "never"})
    texts = out.getvalue().splitlines()
    lines = [json.loads(text, parse_constant=pytest.fail) for text in texts]  # NaN is no JSON
    assert len(lines) == 5
    assert lines[3]["message"] == "%d and %d"
    assert lines[4]["level"] == "info"
    assert lines[4]["at"] != "never"
    assert capsys.readouterr().err == ""  # logging tells its own failures there


def test_start_sends_everything_to_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    err, root = io.StringIO(), logging.getLogger()
    before = (root.handlers[:], root.level, root.manager.disable)
    monkeypatch.setattr(sys, "stderr", err)
    try:
        log.start()
        import driftline.sinks.elasticsearch.sink  # noqa: F401 - which knows its client

        logging.getLogger("elastic_transport.transport").info("a line for each request")
        logging.getLogger("driftline").debug("a line for each record")
        logging.getLogger("driftline").info("one")
    finally:
        root.handlers, root.manager.disable = before[0], before[2]
        root.setLevel(before[1])
    assert [json.loads(line)["message"] for line in err.getvalue().splitlines()] == ["one"]


def test_the_fold_logs_no_line_for_a_record(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    world = World()
    world.snapshot(key(0, rotation=False))
    world.feed("driftline.snapshots", b"{bad")
    world.feed("driftline.snapshots", value(key(1), key(2)))
    world.feed("driftline.control", tick(60))
    assert caplog.records == []


def test_settings_never_show_a_secret_in_text_or_trouble() -> None:
    env = {
        "DRIFTLINE_ELASTICSEARCH__USERNAME": "u",
        "DRIFTLINE_ELASTICSEARCH__PASSWORD": "hunter22",
        "DRIFTLINE_REDACTION__KEY": "k3y-k3y-k3y-k3y-k3y",
    }
    settings = load_settings(env=env)
    assert "hunter22" not in f"{settings!r} {settings}"
    assert "k3y" not in f"{settings!r} {settings}"
    with pytest.raises(UserError) as trouble:
        load_settings(
            env=env | {"DRIFTLINE_KAFKA__SASL_PASSWORD": "hunter22", "DRIFTLINE_WORKER__PORT": "x"}
        )
    assert "hunter22" not in str(trouble.value)
