"""The detections and correlations that come with Driftline: whole, and each proven by its examples."""

import re
import uuid
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from driftline.collectors.aws import calls
from driftline.collectors.aws.events import reported
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.aws.places import places
from driftline.collectors.aws.row import kinds
from driftline.collectors.aws.sources.name_index import UidIndex
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.files import load_shipped
from driftline.pipeline.detections import load
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.detections.rule import closure
from driftline.pipeline.detections.values import EventView
from driftline.pipeline.offline.content import watch as of_settings
from driftline.pipeline.proof.detections import events, forms, proof
from driftline.pipeline.proof.detections.mutants import survivors
from driftline.pipeline.rulebook import builtin_folder
from driftline.pipeline.rulebook.shapes import builtin_shapes
from driftline.pipeline.settings.blocks import Settings

SOURCES = {
    "management",
    "reads",
    "data",
    "findings",
    "drifts",
    "guardduty",
    "inspector",
    "securityhub",
}
FOLDERS = [builtin_folder() / "detections", builtin_folder() / "correlations"]
FILES = sorted(path for folder in FOLDERS for path in folder.rglob("*.yml"))


@cache
def documents() -> list[tuple[Path, dict[str, Any]]]:
    return [(path, load_shipped(path)) for path in FILES]


@pytest.fixture(scope="module")
def content() -> DetectionEngine:
    return of_settings(Settings())


def test_every_example_holds(content: DetectionEngine) -> None:
    assert len(content.found.rules) + len(content.found.correlations) == len(FILES)
    assert list(proof.problems(content)) == []


@pytest.mark.parametrize(("path", "data"), documents(), ids=lambda one: getattr(one, "stem", ""))  # fmt: skip
def test_a_file_is_whole(path: Path, data: dict[str, Any]) -> None:
    assert (data["name"], uuid.UUID(data["id"]).version) == (path.stem, 4)
    assert all(data[key] for key in ("title", "level", "status", "description", "falsepositives"))
    assert any(re.fullmatch(r"attack\.t\d{4}(\.\d{3})?", tag) for tag in data["tags"])
    own = data["driftline"]
    assert own["next"]
    assert own["examples"]["fires"]
    assert len(own["examples"]["silent"]) >= (2 if "correlation" in data else 1)
    if "detection" in data:
        assert set(own["sources"]) <= SOURCES


CLAIMS = {
    r"\b[Oo]ne (?:person|actor|session)\b|\b(?:same|by one) (?:person|actor)\b": (
        "actor",
        "subject",
        "user",
        "change_set",
    ),
    r"\b(?:one|same) (?:resource|bucket|user)\b|\bof one resource\b": ("uid", "user", "login"),
    r"\bof one account\b|\b[Ii]n one account\b": ("account",),
    r"\bone address\b": ("sourceIPAddress",),
}
"""What a correlation's words say its events have in common, and the group-by fields that make it so."""


def test_events_of_a_correlation_have_in_common_what_its_words_say(
    content: DetectionEngine,
) -> None:
    wrong = []
    for one in content.found.correlations.values():
        text = f"{one.title}. {one.about['description']}"
        for pattern, names in CLAIMS.items():
            by = " ".join(one.group_by)
            if re.search(pattern, text) and not any(name in by for name in names):
                wrong.append(f"{one.name}: {re.search(pattern, text)[0]!r} by {by}")  # type: ignore[index]
    assert wrong == []


def test_nothing_is_asked_that_no_event_has(content: DetectionEngine) -> None:
    types = set(builtin_shapes())
    found = [f"{rule.name}: {why}" for rule in content.found.rules.values() for why in events.problems(rule, calls, types)]  # fmt: skip
    found += [f"{one.name}: {why}" for one in content.found.correlations.values() for why in events.correlation_problems(one, content.found.rules, calls)]  # fmt: skip
    found += [f"{rule.name}: {one.comparison.value} is of no source" for rule in content.found.rules.values()
              if events.is_audit(rule) and rule.name not in ANY_SOURCE for one in events.asked(rule, calls) if not one.calls and not one.sources]  # fmt: skip
    assert found == []


ANY_SOURCE = ("aws_console_login_failed", "aws_console_login_without_mfa", "aws_root_used")


def test_every_form_has_an_example(content: DetectionEngine) -> None:
    missing = [f"{rule.name}: {form.call} {form.what} {form.written}" for rule in content.found.rules.values()
               for form in forms.forms(rule, calls) if not form.shown]  # fmt: skip
    assert missing == []


def test_names_and_ids_are_one_s_own() -> None:
    every = [data for _, data in documents()]
    assert len({data["id"] for data in every}) == len({data["title"] for data in every}) == len(every)  # fmt: skip


def test_a_wrong_example_is_told(tmp_path: Path) -> None:
    text = (FOLDERS[0] / "aws" / "aws_trail_silenced.yml").read_text()
    (tmp_path / "one.yml").write_text(text.replace("eventName: StartLogging", "eventName: StopLogging"))  # fmt: skip
    found = [
        why
        for why in proof.problems(DetectionEngine(load([tmp_path])))
        if "no example detects" not in why
    ]
    assert found == [f"{tmp_path / 'one.yml'}: aws_trail_silenced: it is started: it fires"]


@pytest.mark.parametrize("kind", proof.KINDS)
def test_redaction_hides_nothing_that_a_rule_looks_at(content: DetectionEngine, kind: str) -> None:
    """Every example, as it travels: what is under a secret's name is a mark by then."""
    redactor, wrong = Redactor(b"k" * 32), []
    for rule in content.found.rules.values():
        for name, event in proof.events(rule, kind) if events.is_audit(rule) else ():
            own = event.pop("driftline")
            view = EventView(redactor.event(event, places()) | {"driftline": own})
            if rule.matches(view) != (kind == "fires"):
                wrong.append(f"{rule.name}: {name}")
    assert wrong == []


def test_every_value_of_every_list_has_an_example(content: DetectionEngine) -> None:
    """However long the list is: users' long lists are only checked as a whole."""
    for rule in content.found.rules.values():
        views = {kind: [EventView(event) for _, event in proof.events(rule, kind)] for kind in proof.KINDS}  # fmt: skip
        assert list(survivors(rule.trees, closure, views["fires"], views["silent"], 10_000)) == []


def test_every_detection_says_where_it_alerts(content: DetectionEngine) -> None:
    """By intent: none is forgotten by the correlations, and none alerts beside them unasked."""
    found = {
        rule.name: (rule.id in content.correlations, any(rule.id in one.rules for one in content.found.correlations.values()))
        for rule in content.found.rules.values()
    }  # fmt: skip
    said = {rule.name: ALERTS[rule.about["driftline"]["alerts"]] for rule in content.found.rules.values()}  # fmt: skip
    assert said == found


ALERTS = {
    "by itself": (True, False),
    "in correlations": (False, True),
    "by itself and in correlations": (True, True),
}


def test_what_is_only_a_part_does_not_tell_for_itself(content: DetectionEngine) -> None:
    parts = {rule.id for rule in content.found.rules.values() if rule.level == "informational"}
    assert parts
    assert not parts & content.correlations.keys()


REPORTED = [pytest.param(data, id=path.stem) for path, data in documents() if data.get("logsource", {}).get("service") in ("guardduty", "inspector")]  # fmt: skip


@pytest.mark.parametrize("data", REPORTED)
def test_a_base_finding_is_what_the_collector_makes_of_it(data: dict[str, Any]) -> None:
    base = dict(data["driftline"]["examples"]["base"])
    own = base.pop("driftline")
    type_ = {"guardduty": "GuardDuty Finding", "inspector": "Inspector2 Finding"}[data["logsource"]["service"]]  # fmt: skip
    document = {"detail-type": type_, "account": own["account"], "region": own["region"], "time": "2026-11-01T00:00:00Z", "detail": base}  # fmt: skip
    (made,) = reported.changes(document, Redactor(b"k" * 32), "eventbridge")
    assert (made.uid, made.kind, made.actor.id) == (own["uid"], own["kind"], own["actor"]["id"])


AUDIT = [pytest.param(data, id=path.stem) for path, data in documents() if data.get("logsource", {}).get("service") == "cloudtrail"]  # fmt: skip


@pytest.mark.parametrize("data", AUDIT)
def test_a_base_event_is_what_the_collector_makes_of_it(
    content: DetectionEngine, data: dict[str, Any]
) -> None:
    """Its uid and actor, by which it is grouped, are those that a real record would get; and it is not left out."""
    base = dict(data["driftline"]["examples"]["base"])
    own = base.pop("driftline")
    record = {
        "eventID": "1",
        "eventTime": "2026-11-01T00:00:00Z",
        "recipientAccountId": own["account"],
        **base,
    }
    quiet = set(data["driftline"]["sources"]) & {"reads", "data"}
    record |= {"readOnly": "reads" in quiet or base["eventName"].startswith("Get"), "managementEvent": "data" not in quiet}  # fmt: skip
    swept = [(type, own["account"], "global", [own.get("uid", "")]) for type in kinds()]
    reader = ChangeReader(
        Redactor(b"k" * 32), "eventbridge", UidIndex(swept), content.wants_of("aws")
    )
    made = [one for one in reader.changes(record) if one.kind != "session"]
    assert own.get("uid", f"account:aws:{own['account']}") in [one.uid for one in made]
    if "actor" in own:
        assert own["actor"]["id"] in [one.actor.id for one in made]
