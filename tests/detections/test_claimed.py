"""One event is one hit of a group, whichever rows of the tables claim it and however many resources it names."""

from typing import Any

import pytest

from driftline.collectors.aws.events.claims import claimed, claims, named
from driftline.collectors.aws.events.names import NoNames
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.aws.row import kinds
from driftline.collectors.aws.sources.name_index import UidIndex
from driftline.collectors.redact import Redactor
from driftline.pipeline.correlate import Hit
from driftline.pipeline.correlate.runs import runs
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.model import Change, to_micros
from driftline.pipeline.offline.content import watch
from driftline.pipeline.proof.detections import events, proof
from driftline.pipeline.settings.blocks import Settings
from tests.collectors.events.samples import event
from tests.collectors.events.test_odd import example

ACCOUNT = "111111111111"
SEVERAL = {
    call: found
    for call, every in claims().items()
    if len(found := [one for one in every if not one.touch.reach]) > 1
}


@pytest.fixture(scope="module")
def content() -> DetectionEngine:
    return watch(Settings())


def heard(content: DetectionEngine, changes: list[Change]) -> list[dict[str, Any]]:
    """The signals of an event's changes, as the worker tells them."""
    return [
        signal
        for one in changes
        if not one.aside
        for _, signal in content.event_signals(content.event(one, {"known": True, "open": ["x"], "worst": "critical", "exposure": ["internet"]}))
    ]  # fmt: skip


def reader(content: DetectionEngine, resolver: Any) -> ChangeReader:
    return ChangeReader(Redactor(b"k" * 32), "eventbridge", resolver, content.wants_of("aws"))


@pytest.mark.parametrize("call", SEVERAL, ids=":".join)
def test_what_an_event_changes_beside_what_it_names_is_aside(
    content: DetectionEngine, call: tuple[str, str]
) -> None:
    source, name = call
    made = reader(content, NoNames()).changes(example(source, name, SEVERAL[call]))
    alone = {one.kind.type for one in SEVERAL[call] if one.touch.id is None}
    named = [one for one in made if one.type and one.type not in alone]
    for one in made:
        assert one.aside is bool(named and one.type in alone)
        assert one.resources == sorted({change.uid for change in named or made if change.type})


def test_every_match_names_what_was_done_to(content: DetectionEngine) -> None:
    """Every example of every rule before any sweep: the resource, or what the request calls it."""
    seen = 0
    for rule in content.found.rules.values():
        if not events.is_audit(rule):
            continue
        for name, given in proof.events(rule, "fires"):
            record = {"eventID": "1", "eventTime": "2026-11-01T00:00:00Z", "recipientAccountId": ACCOUNT, "readOnly": False, **given}  # fmt: skip
            del record["driftline"]
            said = {key: record.get(key) for key in ("requestParameters", "responseElements")}
            asked = [one for claim in claimed(record) for found in named(claim, said) for one in found]  # fmt: skip
            made = [one for one in reader(content, NoNames()).changes(record) if one.kind != "session"]  # fmt: skip
            briefs = [content.event(one, {"known": False}).brief for one in made if not one.aside]
            seen += len(asked)
            for brief in briefs if asked else ():
                assert brief.get("resource") or brief.get("named"), (rule.name, name)
    assert seen > 100


def test_no_match_of_ours_is_told_twice(content: DetectionEngine) -> None:
    """Every example of every rule, as a record that several rows claim."""
    seen = 0
    swept = [(kind, ACCOUNT, "global" if row.scope == "global" else "eu-west-1", ()) for kind, row in kinds().items()]  # fmt: skip
    for rule in content.found.rules.values():
        if not events.is_audit(rule):
            continue
        for name, given in proof.events(rule, "fires"):
            record = {"eventID": "1", "eventTime": "2026-11-01T00:00:00Z", "recipientAccountId": ACCOUNT, "readOnly": False, **given}  # fmt: skip
            del record["driftline"]
            if (str(record["eventSource"]).partition(".")[0], record["eventName"]) not in SEVERAL:
                continue
            found = heard(content, reader(content, UidIndex(swept)).changes(record))
            ids: dict[tuple[str, str], set[str]] = {}
            for one in found:
                ids.setdefault((one["correlation"], one["detection"]), set()).add(one["id"])
            named = {one.get("uid") for one in found}
            for (correlation, _), own in ids.items():
                by = content.correlations[correlation].group_by
                assert len(own) <= (len(named) if "driftline.uid" in by else 1), (rule.name, name)
                seen += 1
    assert seen


CALLS = [
    ("ec2", "TerminateInstances", {"instancesSet": {"items": [{"instanceId": f"i-{n:017x}"} for n in range(25)]}}, "many_deleted_at_once"),
    ("secretsmanager", "BatchGetSecretValue", {"secretIdList": [f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:s{n}-AbCdEf" for n in range(12)]}, "many_secrets_read"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "name", "asked", "correlation"), CALLS)
def test_one_call_about_many_counts_them_all(
    content: DetectionEngine, source: str, name: str, asked: dict[str, Any], correlation: str
) -> None:
    record = event(name, source, requestParameters=asked, readOnly=source != "ec2")
    found = heard(content, reader(content, NoNames()).changes(record))
    (id,) = [one.id for one in content.correlations.values() if one.name == correlation]
    own = {one["id"]: one for one in found if one["correlation"] == id}
    (signal,) = own.values()
    at = to_micros(signal["at"]) or 0
    hit = Hit(at, signal["event"], signal["detection"], signal["value"], {}, False)
    spec = content.correlations[id].spec()
    assert [run.count for run in runs(spec, id, signal["group"], [hit], at + 1)] == [1]


def test_secrets_named_in_words_are_counted(content: DetectionEngine) -> None:
    """Programs give a secret's name, and CloudTrail no ARN: what is not known by a sweep counts by the request."""
    (id,) = [one.id for one in content.correlations.values() if one.name == "many_secrets_read"]
    read = reader(content, NoNames())
    values = set()
    for n in (*range(10), 3):
        asked = {"secretId": f"prod/db{n}"}
        record = event("GetSecretValue", "secretsmanager", requestParameters=asked, readOnly=True)
        own = [one for one in heard(content, read.changes(record)) if one["correlation"] == id]
        values |= {one["value"] for one in own}
    assert len(values) == 10
