"""Expected change: who, with what, where and when; and what it keeps away from detections."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from driftline.pipeline.assess.drift.expected import Expected, Window, expected
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.offline.content import watch
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.providers.provider import AuditLog, Provider
from driftline.pipeline.records.topics import CHANGES, CONTROL
from driftline.pipeline.settings.blocks import Settings
from tests.core.installing import others as others
from tests.core.world import change, heard, key, rulebook, tick

RESOURCE = {"account": "1", "type": "t", "tags": {"env": "dev"}}


def cause(
    who: str = "arn:aws:iam::1:role/deployer",
    tool: str = "terraform",
    at: str = "2026-11-28T23:00:00.000000Z",
) -> dict[str, Any]:
    return {"actor": {"id": who, "type": "role", "tool": tool}, "at": at}


def drift(*candidates: dict[str, Any], attribution: str = "attributed") -> dict[str, Any]:
    return {"attribution": attribution, "candidates": list(candidates), "resource": RESOURCE}


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ({}, True),
        ({"actors": ["arn:aws:iam::*:role/deployer"]}, True),
        ({"actors": ["arn:aws:iam::*:role/deploy"]}, False),
        ({"actors": ["*"], "tools": ["terraform", "cloudformation"]}, True),
        ({"actors": ["*"], "tools": ["console"]}, False),
        ({"tools": ["cloudformation"]}, False),
        ({"accounts": ["1"], "types": ["t"], "tags": {"env": "dev"}}, True),
        ({"accounts": ["2"]}, False),
        ({"types": ["u"]}, False),
        ({"tags": {"env": "prod"}}, False),
        ({"windows": [{"days": ["sat"], "begin": "22:00", "end": "04:00"}]}, True),
        ({"windows": [{"days": ["sun"], "begin": "22:00", "end": "04:00"}]}, False),
    ],
)
def test_all_that_is_said_must_hold(said: dict[str, Any], fits: bool) -> None:
    assert expected(drift(cause()), [Expected.model_validate(said)]) is fits
    assert (
        expected(drift(cause()), [Expected(tools=["service"]), Expected.model_validate(said)])
        is fits
    )


def test_what_the_caller_says_of_itself_makes_nothing_expected() -> None:
    session = {"id": "arn:aws:sts::1:assumed-role/web/deployer", "type": "role", "session_name": "deployer", "source_identity": "deployer"}  # fmt: skip
    for actor in (session, session | {"issuer": "arn:aws:iam::1:role/web", "person": {"id": "arn:aws:sts::1:assumed-role/web/deployer", "kind": "unknown", "claimed": "deployer"}}):  # fmt: skip
        one = drift(cause() | {"actor": actor})
        assert expected(one, [Expected(actors=["*deployer"])]) is False
    roles = drift(cause() | {"actor": session})
    assert expected(roles, [Expected(actors=["arn:aws:sts::1:assumed-role/web/*"])]) is True
    with pytest.raises(ValidationError, match="terraform without actors"):
        Expected.model_validate({"tools": ["cloudformation", "terraform"]})


def test_of_several_candidates_every_one() -> None:
    known = [Expected(actors=["*deployer"])]
    two = (cause(), cause("mallory"))
    assert expected(drift(*two), known) is True, "the likeliest is the one"
    assert expected(drift(*two, attribution="ambiguous"), known) is False
    assert expected(drift(cause(), cause(), attribution="ambiguous"), known) is True
    assert expected(drift(attribution="unattributed"), known) is False
    assert expected(drift(attribution="pending"), known) is None
    assert expected(drift(cause()), []) is False


@pytest.mark.parametrize(
    ("window", "at", "holds"),
    [
        (("22:00", "04:00"), "2026-11-28T21:59", False),
        (("22:00", "04:00"), "2026-11-28T22:00", True),
        (("22:00", "04:00"), "2026-11-29T03:59", True),
        (("22:00", "04:00"), "2026-11-29T04:00", False),
        (("22:00", "04:00"), "2026-11-28T01:00", False),  # that one began on a Friday
        (("08:00", "09:00"), "2026-11-28T08:30", True),
        (("08:00", "09:00"), "2026-11-28T09:00", False),
        (("00:00", "00:00"), "2026-11-28T13:00", True),
    ],
)
def test_windows(window: tuple[str, str], at: str, holds: bool) -> None:
    one = Window.model_validate({"days": ["sat"], "begin": window[0], "end": window[1]})
    assert one.holds(datetime.fromisoformat(at).replace(tzinfo=UTC)) is holds


@pytest.mark.parametrize("bad", [1320, "25:00", "noon", None])
def test_no_time_of_day(bad: object) -> None:
    with pytest.raises(ValidationError):
        Window.model_validate({"begin": bad, "end": "04:00"})


def test_in_the_fold() -> None:
    """Marked once the cause is known; no signal of an expected one, and of an unexpected one when it is known to be."""
    options = AssessOptions(expected=[Expected(actors=["ann"])])
    for who, planned in (("ann", True), ("bob", False)):
        fold = Fold(rulebook(), options, watch=watch(Settings()))
        for control in (tick(0), heard(0)):
            fold.feed(CONTROL.name, control)
        fold.snapshot(key(0))
        fold.snapshot(key(2, rotation=False))
        [pending] = fold.told_drifts()
        assert (pending["attribution"], pending.get("expected")) == ("pending", None)
        fold.feed(CHANGES.name, b"[" + change(1, who).encode() + b"]")
        [known] = fold.told_drifts()
        assert (known["attribution"], known["expected"]) == ("attributed", planned)
        assert orjson.dumps(known)


def test_tools_are_those_of_a_provider(others: dict[str, object]) -> None:
    others["cloud"] = Provider("cloud", "Cloud", AuditLog("cloud", ""), tools=("blueprint",), vouched_tools=("blueprint",))  # fmt: skip
    own, theirs = RESOURCE | {"provider": "aws"}, RESOURCE | {"provider": "cloud"}
    alone = Expected.model_validate({"tools": ["blueprint"]})
    assert alone.fits(cause(tool="blueprint"), theirs)
    assert not alone.fits(cause(tool="blueprint"), own)  # there the caller's user agent says so
    by = Expected.model_validate({"tools": ["blueprint"], "actors": ["*"], "providers": ["aws"]})
    assert by.fits(cause(tool="blueprint"), own)
    assert not by.fits(cause(tool="blueprint"), theirs)
    with pytest.raises(ValidationError, match="no tool 'blueprnt'"):
        Expected.model_validate({"tools": ["blueprnt"], "actors": ["*"]})
    with pytest.raises(ValidationError, match="no provider clod is installed"):
        Expected.model_validate({"providers": ["clod"]})
