"""A sink's severities: whom an override concerns, what it makes of a severity, and where both are shown."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from driftline.pipeline.model import SEVERITIES
from driftline.pipeline.records.topics import ALERTS, DRIFT, FINDINGS, RESTATEMENTS
from driftline.pipeline.settings.blocks import Settings
from driftline.pipeline.settings.severities import SeverityOverride, overridden
from driftline.sinks.configured import ConfiguredSink, configured
from driftline.sinks.elasticsearch.render import document
from driftline.sinks.route_answers import routes
from tests.sinks.findings import NOW, findings

FULL = findings()["full"]
RULE = FULL["rule"]["severity"]


def override(**fields: Any) -> SeverityOverride:
    return SeverityOverride.model_validate(fields)


def becomes(*overrides: SeverityOverride, of: dict[str, Any] = FULL) -> tuple[str, str | None]:
    rule = overridden(of, overrides)["rule"]
    return rule["severity"], rule.get("original_severity")


@pytest.mark.parametrize(
    ("fields", "applies"),
    [
        ({"path": ["111111111111"]}, True), ({"path": ["payments-prod"]}, True), ({"path": ["Production"]}, True),
        ({"path": ["o-1"]}, True), ({"path": ["ou-2"]}, False), ({"path": ["ou-2", "o-1"]}, True), ({"path": ["payments-*"]}, True),
        ({"path": ["payments"]}, False), ({"tags": {"env": "prod"}}, True), ({"tags": {"env": "*"}}, True), ({"tags": {"env": "dev"}}, False),
        ({"tags": {"env": "prod", "team": "*"}}, False), ({"path": ["o-1"], "tags": {"env": "prod"}}, True),
        ({"path": ["ou-2"], "tags": {"env": "prod"}}, False),
    ],
)  # fmt: skip
def test_whom_it_concerns(fields: dict[str, Any], applies: bool) -> None:
    assert RULE == "high"
    assert becomes(override(**fields, severity="critical")) == (("critical", "high") if applies else ("high", None))  # fmt: skip


@given(before=st.sampled_from(SEVERITIES), word=st.sampled_from(["severity", "at_least", "at_most"]), other=st.sampled_from(SEVERITIES))  # fmt: skip
@hypothesis_settings(deadline=None)
def test_what_a_severity_becomes(before: Any, word: str, other: Any) -> None:
    after = override(tags={"a": "b"}, **{word: other}).of(before)
    rank = SEVERITIES.index
    expected = {"severity": rank(other), "at_least": max(rank(before), rank(other)), "at_most": min(rank(before), rank(other))}  # fmt: skip
    assert rank(after) == expected[word]


def test_later_ones_change_what_earlier_made_and_the_rule_s_own_is_kept() -> None:
    everywhere = {"path": ["*"]}
    down, up = override(**everywhere, severity="low"), override(**everywhere, at_least="critical")
    assert becomes(down, up) == ("critical", "high")
    assert becomes(up, down) == ("low", "high")
    assert becomes(override(**everywhere, severity="high")) == ("high", None)


def test_what_has_no_account_or_no_severity_stays_as_it_is() -> None:
    every = [override(path=["*"], severity="critical"), override(tags={"a": "*"}, severity="low")]
    alert: dict[str, Any] = {"rule": "r", "severity": "high", "resources": ["a"]}
    drift = {"resource": {"account": "1", "tags": {"a": "b"}}}
    for one in (alert, drift, {"id": "x", "revision": 1, "last_seen": ""}):
        assert overridden(one, every) is one
    nowhere = {"rule": {"severity": "low"}, "resource": {}}
    assert overridden(nowhere, every) == nowhere


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"severity": "low"}, "path, tags"), ({"path": ["a"]}, "one of severity, at_least and at_most"),
        ({"path": ["a"], "severity": "low", "at_most": "low"}, "one of severity"), ({"path": ["a"], "severity": "mild"}, "severity"),
    ],
)  # fmt: skip
def test_mistakes(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match="severities") as error:
        sinks({"severities": [fields]})
    [one] = error.value.errors()  # type: ignore[attr-defined]
    assert told in f"{one['ctx'].get('fix', '')} {one['msg']} {one['loc']}"


def sinks(*entries: dict[str, Any], **more: Any) -> list[ConfiguredSink]:
    named = [{"name": f"s{n}", "kind": "elasticsearch"} | one for n, one in enumerate(entries)]
    return configured(Settings.model_validate({"sinks": named} | more))


def test_match_is_asked_of_the_new_severity() -> None:
    lowered = [{"path": ["Production"], "at_most": "low"}]
    mild, grave, plain = sinks(
        {"match": 'severity == "low"', "severities": lowered}, {"match": 'severity == "high"', "severities": lowered}, {},
    )  # fmt: skip
    given = mild.context.given(FINDINGS.name, FULL)
    assert given is not None
    assert (given["rule"]["severity"], given["rule"]["original_severity"]) == ("low", "high")
    assert grave.context.given(FINDINGS.name, FULL) is None
    assert plain.context.given(FINDINGS.name, FULL) is FULL
    assert FULL["rule"]["severity"] == "high", "what others are given is not touched"
    for topic in (RESTATEMENTS, ALERTS, DRIFT):
        assert mild.context.given(topic.name, {"id": "x", "severity": "low", "rule": "r"}) is not None  # fmt: skip
    why = [one.why for one in routes([mild, grave, plain], FINDINGS.own, FULL)]
    assert why == [
        'match holds: severity == "low" (as low; its rule says high)',
        'does not hold: severity == "high" (as low; its rule says high)',
        "it has no match: it is given all that it reads",
    ]


def test_elasticsearch_shows_both() -> None:
    [sink] = sinks({"severities": [{"tags": {"env": "prod"}, "severity": "critical"}]})
    given = sink.context.given(FINDINGS.name, FULL)
    assert given is not None
    shown = document(given, NOW, "default")
    assert (shown["driftline"]["severity"], shown["driftline"]["original_severity"]) == ("critical", "high")  # fmt: skip
    assert shown["event"]["severity"] == 99
    assert "original_severity" not in document(FULL, NOW, "default")["driftline"]


def test_how_a_sink_runs_is_its_own() -> None:
    first, second = sinks({"sink": {"port": 6071, "bad_share": 0.5}}, {}, sink={"bad_share": 0.2, "session_timeout": "30s"})  # fmt: skip
    assert (first.run.port, first.run.bad_share, first.run.session_timeout) == (6071, 0.5, 30)
    assert (second.run.port, second.run.bad_share, second.run.session_timeout) == (0, 0.2, 30)
    assert (first.context.bad_share, second.context.bad_share) == (0.5, 0.2)
