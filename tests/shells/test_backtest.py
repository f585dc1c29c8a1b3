"""Backtest: hits by rule and day, the same however the events are spread over files, doubled or shuffled."""

import gzip
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from driftline.pipeline.records import tape
from tests.detections.test_load import OTHER, RULE
from tests.shells.command import Command

AGAIN: dict[str, Any] = {
    "title": "Switched off and signed in", "id": "33333333-3333-4333-8333-333333333333", "name": "again",
    "correlation": {"type": "temporal", "rules": ["logging_off", "sign_in"], "group-by": ["who"], "timespan": "10m",
                    "aliases": {"who": {"logging_off": "actor", "sign_in": "user"}}},
}  # fmt: skip
TWICE: dict[str, Any] = {
    "title": "At all", "id": "44444444-4444-4444-8444-444444444444",
    "correlation": {"type": "event_count", "rules": ["again"], "generate": True, "group-by": ["who"], "timespan": "2d", "condition": {"gte": 1}},
}  # fmt: skip


def event(number: int, name: str, day: int = 1) -> dict[str, Any]:
    return {"eventID": f"e{number}", "eventName": name, "eventSource": "x.amazonaws.com", "eventTime": f"2026-11-0{day}T10:00:00Z",
            "actor": f"p{number % 2}", "user": f"p{number % 2}"}  # fmt: skip


EVENTS = [event(n, ["StopLogging", "ConsoleLogin", "GetObject"][n % 3], 1 + n % 2) for n in range(60)]  # fmt: skip


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yml").write_text(yaml.safe_dump(RULE))
    (folder / "b.yml").write_text(yaml.safe_dump(OTHER))
    (folder / "c.yml").write_text(yaml.safe_dump(AGAIN))
    (folder / "d.yml").write_text(yaml.safe_dump(TWICE))
    return folder


def logs(tmp_path: Path, seed: int) -> Path:
    """The same events, in other files, another order, some of them twice."""
    random, folder = Random(seed), tmp_path / f"logs{seed}"
    folder.mkdir()
    events = EVENTS + random.sample(EVENTS, 20) if seed else list(EVENTS)
    random.shuffle(events)
    (folder / "one.json").write_text(json.dumps({"Records": events[:20]}))
    (folder / "two.json.gz").write_bytes(gzip.compress(json.dumps({"Records": events[20:30]}).encode()))  # fmt: skip
    (folder / "three.ndjson").write_text("\n".join(json.dumps(e) for e in events[30:40]))
    (folder / "four.json").write_text(json.dumps(events[40:]))
    return folder


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_the_same_bytes_however_the_events_come(tmp_path: Path, rules: Path, driftline: Command, jobs: str) -> None:  # fmt: skip
    said = [
        driftline("backtest", "--detections", rules, "--cloudtrail", logs(tmp_path, seed), "--jobs", jobs, "--format", "json")
        for seed in (0, 1, 2)
    ]  # fmt: skip
    assert {one.code for one in said} == {0}
    assert len({one.out for one in said}) == 1
    found = json.loads(said[0].out)
    assert found["events"] == 60
    assert found["rules"] == {RULE["id"]: 20, OTHER["id"]: 20}
    assert sum(found["days"][RULE["id"]].values()) == 20
    assert found["correlations"] == {AGAIN["id"]: 2, TWICE["id"]: 2}


def test_a_table(tmp_path: Path, rules: Path, driftline: Command) -> None:
    said = driftline("backtest", "--detections", rules, "--cloudtrail", logs(tmp_path, 0))
    assert said.code == 0
    assert "Logging is switched off" in said.out
    assert "60 events of 4 files" in said.err


def test_what_cannot_be_read_is_told(tmp_path: Path, rules: Path, driftline: Command) -> None:
    folder = logs(tmp_path, 0)
    (folder / "bad.json.gz").write_bytes(b"\x1f\x8bnonsense")
    (folder / "half.ndjson").write_text(json.dumps(EVENTS[0]) + "\n{\n5\n")
    (rules / "bad.yml").write_text("title: x\n")
    said = driftline("backtest", "--detections", rules, "--cloudtrail", folder, "--format", "json")
    assert said.code == 3
    assert json.loads(said.out)["events"] == 60
    for told in ("bad.json.gz", "half.ndjson:2", "half.ndjson:3", "bad.yml"):
        assert told in said.err
    assert driftline("backtest", "--detections", rules, "--cloudtrail", tmp_path / "no").code == 2


READ = RULE | {"title": "Looks around", "id": "55555555-5555-4555-8555-555555555555", "name": "looks", "detection": {"s": {"eventName|startswith": "Describe"}, "condition": "s"}}  # fmt: skip
AGENT = READ | {"title": "Odd agent", "id": "66666666-6666-4666-8666-666666666666", "name": "agent", "detection": {"s": {"userAgent": "odd"}, "condition": "s"}}  # fmt: skip


def test_backtest_and_replay_tell_the_same_alerts(tmp_path: Path, driftline: Command) -> None:
    """Of detections that look at reads by a pattern, or at no name at all; with everything that JSON always has."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a.yml").write_text(yaml.safe_dump_all([READ, AGENT]))
    who = {
        "type": "IAMUser",
        "arn": "arn:aws:iam::111111111111:user/ann",
        "accountId": "111111111111",
    }
    records = [
        event(1, "DescribeInstances") | {"readOnly": True, "userIdentity": who},
        event(2, "ListRoles") | {"readOnly": True, "userAgent": "odd", "userIdentity": who},
        event(3, "ListRoles") | {"readOnly": True, "userIdentity": who},
    ]
    (tmp_path / "log.json").write_text(json.dumps({"Records": records}))
    shared = (
        "--cloudtrail",
        "log.json",
        "--detections",
        "mine",
        "--format",
        "json",
        "--no-builtin",
    )
    tested = driftline("backtest", *shared)
    found = json.loads(tested.out)
    assert found["rules"] == {READ["id"]: 1, AGENT["id"]: 1}
    assert found["of_reads"] == found["rules"]
    assert "2 hits of 2 rules are on read-only calls or data events" in tested.err
    assert found["events"] == 3
    replayed = json.loads(driftline("replay", *shared).out)
    assert found["alerts"] == replayed["alerts"]
    assert [one["rule"] for one in found["alerts"]] == [READ["id"], AGENT["id"]]
    assert {one["state"] for one in found["alerts"]} == {"ended"}
    assert [one["story"][0]["what"] for one in found["alerts"]] == ["ListRoles", "DescribeInstances"][::-1]  # fmt: skip
    assert found["alerts"][0]["group"] == {"driftline.actor.person.id": who["arn"], "driftline.account": "111111111111"}  # fmt: skip
    assert found["open_at_end"]["alerts"] == replayed["open_at_end"]["alerts"] == sorted(one["id"] for one in found["alerts"])  # fmt: skip
    for command in ("backtest", "replay"):
        table = driftline(command, *shared[:4], "--no-builtin").out
        assert "2 alerts (2 were ongoing at the end of the records)" in table
        assert "DescribeInstances" in table


def test_json_has_every_list_though_it_is_empty(tmp_path: Path, driftline: Command) -> None:
    (tmp_path / "log.json").write_text('{"Records": []}')
    said = json.loads(driftline("replay", "--cloudtrail", "log.json", "--format", "json").out)
    for name in ("findings", "coverage", "dead", "problems", "drift", "alerts"):
        assert said[name] == [], name
    assert said["open_at_end"] == {"alerts": [], "drift": []}
    said = json.loads(driftline("backtest", "--builtin", "--cloudtrail", "log.json", "--format", "json").out)  # fmt: skip
    assert (said["alerts"], said["problems"], said["days"]) == ([], [], {})
    assert len(said["rules"]) > 50


def test_ours_look_where_they_are_asked_to(tmp_path: Path, driftline: Command) -> None:
    """The checkout's own folder, by its name or by the switch, or both."""
    from driftline.pipeline.rulebook import builtin_folder

    record = event(1, "CreateAccessKey") | {"eventSource": "iam.amazonaws.com", "requestParameters": {"userName": "bea"},
                                            "userIdentity": {"type": "IAMUser", "userName": "ann", "accountId": "111111111111", "arn": "arn:aws:iam::111111111111:user/ann"}}  # fmt: skip
    (tmp_path / "log.json").write_text(json.dumps({"Records": [record]}))
    ways = [("--builtin",), ("--detections", builtin_folder()), ("--builtin", "--detections", builtin_folder())]  # fmt: skip
    said = [driftline("backtest", *way, "--cloudtrail", "log.json", "--format", "json") for way in ways]  # fmt: skip
    assert {one.code for one in said} == {0}
    assert len({one.out for one in said}) == 1
    assert all(one.err.count("\n") == 1 for one in said)
    alerts = json.loads(said[0].out)["alerts"]
    assert "Access key created for another user" in {one["title"] for one in alerts}
    replayed = {
        word: json.loads(driftline("replay", "--cloudtrail", "log.json", "--format", "json", *word).out)["alerts"]
        for word in ((), ("--builtin",), ("--no-builtin",))
    }  # fmt: skip
    assert replayed[()] == replayed["--builtin",] == alerts
    assert replayed["--no-builtin",] == []


def test_detections_look_at_tapes_too(tmp_path: Path, driftline: Command) -> None:
    """With what a resource has open: the event that touches it is a hit then, and only then."""
    from tests.shells.test_past import READINGS, RECORDS

    on_open = READ | {"detection": {"s": {"driftline.open": "aws-ec2-security-group-no-ssh-from-internet"}, "condition": "s"}}  # fmt: skip
    (tmp_path / "r.yml").write_text(yaml.safe_dump(on_open))
    tape.write(tmp_path / "t.ndjson", [(topic, "", json.loads(data)) for topic, data in READINGS])
    (tmp_path / "log.json").write_text(json.dumps({"Records": RECORDS}))
    words = ("--detections", "r.yml", "--cloudtrail", "log.json", "--format", "json")
    assert json.loads(driftline("backtest", *words).out)["rules"] == {READ["id"]: 0}
    said = driftline("backtest", *words, "--tape", "t.ndjson")
    found = json.loads(said.out)
    assert found["rules"] == {READ["id"]: 1}, said.err
    assert [one["story"][0]["what"] for one in found["alerts"]] == ["RevokeSecurityGroupIngress"]


def test_names_of_one_person_are_one_in_the_past_too(tmp_path: Path, driftline: Command) -> None:
    """As the settings say: backtest groups as replay, and the stream, do."""
    users = [f"arn:aws:iam::111111111111:user/{name}" for name in ("ann", "ann-admin")]
    (tmp_path / "driftline.yaml").write_text(yaml.safe_dump({"people": [{"id": "ann@example.com", "names": users}]}))  # fmt: skip
    (tmp_path / "r.yml").write_text(yaml.safe_dump(AGENT))
    records = [
        event(number, "CreateUser") | {"userAgent": "odd", "userIdentity": {"type": "IAMUser", "arn": arn, "accountId": "111111111111"}}
        for number, arn in enumerate(users)
    ]  # fmt: skip
    (tmp_path / "log.json").write_text(json.dumps({"Records": records}))
    words = ("--cloudtrail", "log.json", "--detections", "r.yml", "--format", "json", "--no-builtin")  # fmt: skip
    (tested, replayed) = (json.loads(driftline(name, *words).out)["alerts"] for name in ("backtest", "replay"))  # fmt: skip
    assert tested == replayed
    assert {one["group"]["driftline.actor.person.id"] for one in tested} == {"ann@example.com"}
