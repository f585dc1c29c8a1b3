"""`driftline detections check` proves users' files as rules are proven; `forms` lists what an audit log may say."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.shells.command import Command

RULE: dict[str, Any] = {
    "title": "Logging is switched off", "id": "5b0a3f2c-0000-4000-8000-00000000000a", "name": "off", "level": "high",
    "logsource": {"product": "aws", "service": "cloudtrail"},
    "detection": {
        "sel": {"eventSource": "cloudtrail.amazonaws.com", "eventName": ["StopLogging", "DeleteTrail"]},
        "robot": {"userIdentity.userName": "robot"}, "condition": "sel and not robot",
    },
    "driftline": {"examples": {
        "base": {"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging", "userIdentity": {"userName": "ann"},
                 "driftline": {"type": "change", "uid": "arn:aws:cloudtrail:eu-west-1:111111111111:trail/main",
                               "actor": {"id": "arn:aws:iam::111111111111:user/ann", "type": "user"}}},
        "fires": [{"name": "both", "calls": ["StopLogging", "DeleteTrail"]}],
        "silent": [{"name": "the robot", "set": {"userIdentity.userName": "robot"}},
                   {"name": "another call", "set": {"eventName": "StartLogging"}},
                   {"name": "another service", "set": {"eventSource": "other.amazonaws.com"}}],
    }},
}  # fmt: skip
COUNT: dict[str, Any] = {
    "title": "Again and again", "id": "again", "level": "high",
    "correlation": {"type": "event_count", "rules": ["off"], "group-by": ["driftline.uid"], "timespan": "10m", "condition": {"gte": 2}},
    "driftline": {"examples": {
        "fires": [{"name": "twice", "steps": [{"at": "0m", "like": "off", "times": 2}]}],
        "silent": [{"name": "once", "steps": [{"at": "0m", "like": "off"}]}],
    }},
}  # fmt: skip


def put(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with a value at a path of keys and numbers."""
    out: dict[str, Any] = json.loads(json.dumps(document))
    *above, last = path.split("/")
    holder: Any = out
    for step in above:
        holder = holder[int(step)] if isinstance(holder, list) else holder[step]
    if isinstance(holder, list):
        holder[int(last)] = value
    else:
        holder[last] = value
    return out


def write(folder: Path, *documents: Any) -> Path:
    for number, document in enumerate(documents):
        (folder / f"{number}.yml").write_text(yaml.safe_dump(document, sort_keys=False))
    return folder


def test_what_is_proven_passes(tmp_path: Path, driftline: Command) -> None:
    said = driftline("detections", "check", write(tmp_path, RULE, COUNT))
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("1 rule, 1 correlation load; 0 of 2 documents do not")


SEL, EXAMPLES = "detection/sel", "driftline/examples"
WRONG = [
    (f"{EXAMPLES}/silent/1/set/eventName", "DeleteTrail", "another call: it fires"),
    (f"{EXAMPLES}/fires", [], "no example fires"),
    (f"{EXAMPLES}/fires/0/calls", ["StopLogging"], "`eventName: DeleteTrail` is never true"),
    (f"{EXAMPLES}/silent", [], "`eventSource: cloudtrail.amazonaws.com` is always true"),
    (f"{EXAMPLES}/silent/0/set", {"eventName": "x"}, "`userIdentity.userName: robot` is never true"),
    (f"{EXAMPLES}/silent/0", 5, "its examples cannot be read"),
    (f"{EXAMPLES}/base", None, "its examples cannot be read"),
    (f"{EXAMPLES}/base/eventName", "Other", "its base event does not match it"),
    (SEL, {"eventSource": "cloudtrail.amazonaws.com", "eventName": ["StopLoging"]}, "did you mean 'StopLogging'?"),
    (SEL, {"eventSource": "cloudtrail.amazonaws.com", "eventName|startswith": "Halt"}, "cloudtrail has no call 'Halt*'"),
    (SEL, {"eventSource": "cloudtrial.amazonaws.com", "eventName": "StopLogging"}, "did you mean 'cloudtrail"),
    (SEL, {"eventSource": "cloudtrail", "eventName": "StopLogging"}, "write for example ec2.amazonaws.com"),
    (f"{SEL}/eventname", "StopLogging", "did you mean 'eventName'?"),
    (f"{SEL}/userIdentity.usrName", "x", "did you mean 'userName'?"),
    (f"{SEL}/requestParameters.Name", "main", "did you mean 'name'?"),
    (f"{SEL}/requestParameters.trail", "main", "no call that it names has such a parameter"),
    (SEL, {"eventSource": "s3.amazonaws.com", "eventName": "PutBucketAcl", "requestParameters.bucketNmae": "x"}, "did you mean 'bucketName'?"),
    (SEL, {"eventSource": "s3.amazonaws.com", "eventName": "PutBucketVersioning", "requestParameters.VersioningConfiguration.Sttus": "x"}, "did you mean 'Status'?"),
    (f"{SEL}/userIdentity.userName|fieldref", "requestParameters.namee", "did you mean 'name'?"),
    (SEL, {"eventSource": "zz.amazonaws.com", "eventName": "StopLogging"}, "no service 'zz.amazonaws.com'"),
    (f"{SEL}/driftline.actor.persn.id", "x", "did you mean 'person'?"),
    (f"{SEL}/driftline.actor.person.idd", "x", "did you mean 'id'?"),
    (f"{SEL}/driftline.actor.chain.rol", "x", "driftline.actor.chain.rol: no such field"),
    (f"{SEL}/driftline.opn", "x", "did you mean 'open'?"),
    (f"{SEL}/driftline.resource_type", "AWS::CloudTrail::Trial", "did you mean 'AWS::CloudTrail::Trail'?"),
    ("driftline/group-by", ["driftline.uuid"], "did you mean 'uid'?"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "told"), WRONG)
def test_what_is_wrong_fails(
    path: str, value: Any, told: str, tmp_path: Path, driftline: Command
) -> None:
    said = driftline("detections", "check", write(tmp_path, put(RULE, path, value)))
    assert said.code == 2
    assert told in said.err
    assert all(line.startswith(f"{tmp_path / '0.yml'}: ") for line in said.err.splitlines())


FREE = [
    ("lambda.amazonaws.com", "UpdateFunctionConfiguration20150331v2", "requestParameters.environment.variables.AWS_LAMBDA_EXEC_WRAPPER"),
    ("s3.amazonaws.com", "PutBucketPolicy", "requestParameters.bucketPolicy.Statement.Principal.AWS"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "event", "field"), FREE)
def test_below_a_map_or_a_document_any_name_may_stand(source: str, event: str, field: str, tmp_path: Path, driftline: Command) -> None:  # fmt: skip
    wanted = {"eventSource": source, "eventName": event, field: "x"}
    said = driftline("detections", "check", write(tmp_path, put(RULE, SEL, wanted)))
    assert "such a parameter" not in said.err


CORRELATIONS = [
    ("driftline/examples/silent/0/steps/0/times", 2, "once: it fires"),
    ("driftline/examples/fires/0/steps/0/like", "of", "its examples cannot be read"),
    ("driftline/examples/fires/0/steps/0/like", "of", "no rule 'of' (did you mean 'off'?)"),
    ("correlation/group-by", ["vpcEndpointId"], "twice: it stays silent (no event of its steps has vpcEndpointId, which it groups by)"),
    ("correlation/group-by", ["driftline.actor.person.idd"], "did you mean 'id'?"),
    ("correlation/group-by", ["driftline.uuid"], "did you mean 'uid'?"),
    ("correlation/group-by", ["sourceIpAddress"], "did you mean 'sourceIPAddress'?"),
    ("correlation", COUNT["correlation"] | {"type": "value_count", "condition": {"field": "eventname", "gte": 2}}, "did you mean 'eventName'?"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "told"), CORRELATIONS)
def test_a_correlation_that_is_wrong_fails(
    path: str, value: Any, told: str, tmp_path: Path, driftline: Command
) -> None:
    said = driftline("detections", "check", write(tmp_path, RULE, put(COUNT, path, value)))
    assert said.code == 2
    assert told in said.err


def test_a_correlation_of_a_rule_that_does_not_load(tmp_path: Path, driftline: Command) -> None:
    """It is told as such, and every document is counted once."""
    said = driftline("detections", "check", write(tmp_path, put(RULE, "level", "hihg"), COUNT))
    assert (said.code, said.out) == (2, "0 rules, 0 correlations load; 2 of 2 documents do not\n")
    assert f"{tmp_path / '1.yml'}: correlation again: its rule off does not load" in said.err
    said = driftline("detections", "check", write(tmp_path, RULE, put(COUNT, "correlation/rules", ["of"])))  # fmt: skip
    assert (said.code, said.out) == (2, "1 rule, 0 correlations load; 1 of 2 documents do not\n")
    assert "no rule of (did you mean 'off'?)" in said.err


def test_a_group_of_resources_that_no_type_is_of(tmp_path: Path, driftline: Command) -> None:
    rule = put(RULE, SEL, {"eventSource": "rolesanywhere.amazonaws.com", "eventName": "CreateTrustAnchor"})  # fmt: skip
    rule = put(rule, "driftline", {})
    said = driftline("detections", "check", write(tmp_path, rule, put(COUNT, "driftline", {})))
    assert said.code == 2
    assert (
        "CreateTrustAnchor of 'off' concerns no resource of a type that Driftline reads" in said.err
    )


def test_an_event_that_somebody_has_seen_is_no_mistake(tmp_path: Path, driftline: Command) -> None:
    rule = put(
        put(
            RULE, SEL, {"eventSource": "bedrock.amazonaws.com", "eventName": "PutModelEntitlement"}
        ),
        "driftline",
        {},
    )
    assert driftline("detections", "check", write(tmp_path, rule)).code == 2
    rule = put(rule, "driftline", {"undocumented": ["PutModelEntitlement"]})
    assert driftline("detections", "check", write(tmp_path, rule)).code == 0


def test_content_that_comes_with_us_may_be_referred_to(tmp_path: Path, driftline: Command) -> None:
    steps = {"fires": [{"name": "twice", "steps": [{"at": "0m", "like": "aws_trail_silenced", "times": 2}]}]}  # fmt: skip
    one = put(put(COUNT, "correlation/rules", ["aws_trail_silenced"]), "driftline", {"examples": steps})  # fmt: skip
    said = driftline("detections", "check", write(tmp_path, one))
    assert (said.code, said.err) == (0, "")
    assert "0 rules, 1 correlation load; 0 of 1" in said.out


def test_what_has_no_examples_is_counted(tmp_path: Path, driftline: Command) -> None:
    folder = write(tmp_path, put(RULE, "driftline", {}))
    said = driftline("detections", "check", folder)
    assert said.code == 0
    assert "1 have no examples and are not tested" in said.out
    told = json.loads(driftline("detections", "check", folder, "--format", "json").out)
    assert (told["loaded"], told["failed"], told["without_examples"]) == (1, 0, 1)


@pytest.mark.parametrize("product", ["okta", "azure", "driftline"])
def test_another_log_source_is_asked_nothing_of_cloudtrail(
    product: str, tmp_path: Path, driftline: Command
) -> None:
    rule = put(put(RULE, "driftline", {}), "logsource", {"product": product})
    rule = put(rule, SEL, {"whatever": "x"})
    assert driftline("detections", "check", write(tmp_path, rule)).code == 0


def test_forms_lists_what_the_examples_lack(tmp_path: Path, driftline: Command) -> None:
    rule = put(RULE, f"{SEL}/requestParameters.name", "main")
    said = driftline("detections", "forms", write(tmp_path, rule))
    rows = [line.split() for line in said.out.splitlines()]
    assert said.code == 2
    assert ["missing", "off", "cloudtrail:DeleteTrail", "relative", "CreateTrail"] in rows
    assert ["missing", "off", "cloudtrail:StopLogging", "place", "name"] in rows
    assert ["shown", "off", "cloudtrail:StopLogging", "relative", "StartLogging"] in rows
    assert rows[-1][1:] == ["forms,", "4", "of", "them", "in", "no", "example"]


@pytest.mark.parametrize("call", ["cloudtrail:StopLogging", "scheduler:DeleteSchedule", "iam:CreateUser", "signin:ConsoleLogin", "s3:GetObject"])  # fmt: skip
def test_a_new_one_loads_and_passes_its_check(call: str, tmp_path: Path, driftline: Command) -> None:  # fmt: skip
    said = driftline("detections", "new", "own_call", "--event", call, "--dir", tmp_path / "own")
    path = tmp_path / "own" / "own_call.yml"
    assert (said.code, said.out) == (0, f"{path}: edit it, then run: driftline detections check {path}\n")  # fmt: skip
    said = driftline("detections", "check", path)
    assert (said.code, said.out) == (0, "1 rule, 0 correlations load; 0 of 1 documents do not\n")
    said = driftline("detections", "new", "own_call", "--event", call, "--dir", tmp_path / "own")
    assert (said.code, "already exists" in said.err) == (2, True)


@pytest.mark.parametrize(
    ("call", "fires", "silent"),
    [
        ("lambda:UpdateFunctionCode", {"eventName": "UpdateFunctionCode20150331v2"}, {"eventName": "UpdateFunctionConfiguration20150331v2"}),
        ("lambda:UpdateFunctionCode20150331v2", {"eventName": "UpdateFunctionCode"}, {"errorCode": "AccessDenied"}),
        ("cloudfront:UpdateDistribution", {"eventName": "UpdateDistribution2020_05_31"}, {"eventName": "CreateDistribution2020_05_31"}),
        ("signin:ConsoleLogin", {"responseElements": {"ConsoleLogin": "Success"}}, {"responseElements": {"ConsoleLogin": "Failure"}, "errorMessage": "Failed authentication"}),
    ],
)  # fmt: skip
def test_a_new_one_finds_the_call_as_cloudtrail_writes_it(
    call: str, fires: dict[str, Any], silent: dict[str, Any], tmp_path: Path, driftline: Command
) -> None:
    own, logs = tmp_path / "own", tmp_path / "logs"
    logs.mkdir()
    assert driftline("detections", "new", "own_call", "--event", call, "--dir", own).code == 0
    assert driftline("detections", "check", own).code == 0
    source, _, name = call.partition(":")
    base = {
        "eventVersion": "1.08", "eventSource": f"{source}.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1", "readOnly": False,
        "eventTime": "2026-01-01T00:00:00Z", "recipientAccountId": "111111111111", "sourceIPAddress": "198.51.100.7",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111111111111:user/ann", "accountId": "111111111111", "userName": "ann"},
    }  # fmt: skip
    for number, (more, alerts) in enumerate(((fires, 1), (silent, 0))):
        log = logs / f"{number}.json"
        log.write_text(json.dumps({"Records": [base | more | {"eventID": str(number)}]}))
        said = driftline("backtest", "--detections", own, "--cloudtrail", log, "--format", "json")
        assert len(json.loads(said.out)["alerts"]) == alerts


@pytest.mark.parametrize(
    ("name", "call", "told"),
    [
        ("Own-call", "iam:CreateUser", "not a detection's name"),
        ("own_call", "iamm:CreateUser", "no such source (did you mean 'iam'?)"),
        ("own_call", "iam:CreateUsr", "iam has no such call (did you mean 'CreateUser'?)"),
        ("own_call", "CreateUser", "no such source"),
        ("aws_trail_silenced", "iam:CreateUser", "a detection with this name exists"),
    ],
)
def test_a_new_one_is_refused_with_a_reason(
    name: str, call: str, told: str, tmp_path: Path, driftline: Command
) -> None:
    said = driftline("detections", "new", name, "--event", call, "--dir", tmp_path)
    assert (said.code, said.out) == (2, "")
    assert told in said.err
