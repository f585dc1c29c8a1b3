"""Who can write to a queue of change events: what `doctor` says of the queue's policy, and of the topics before it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from driftline.collectors.aws.queue_policy import queues, senders, topics
from driftline.collectors.aws.settings import EventQueue

OWN, OTHER = "111111111111", "222222222222"
QUEUE, TOPIC = f"arn:aws:sqs:eu-west-1:{OWN}:events", f"arn:aws:sns:eu-west-1:{OTHER}:trail"
URL = f"https://sqs.eu-west-1.amazonaws.com/{OWN}/events"
RULE = {"ArnEquals": {"aws:SourceArn": f"arn:aws:events:eu-west-1:{OWN}:rule/bus/to-queue"}}


def policy(principal: Any, action: Any = "sqs:SendMessage", **more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": principal, "Action": action, "Resource": QUEUE} | more]}  # fmt: skip


def service(name: str, **more: Any) -> dict[str, Any]:
    return policy({"Service": f"{name}.amazonaws.com"}, **more)


def and_denied(principal: Any, operator: str, key: str, value: str, **more: Any) -> dict[str, Any]:
    """It is denied to all but those of a key's value."""
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": QUEUE, "Condition": {operator: {key: value}}} | more  # fmt: skip
    return {"Statement": [*policy(principal)["Statement"], deny]}


@pytest.mark.parametrize(
    ("found", "who"),
    [
        (None, []),
        (service("events", Condition=RULE), []),
        (service("events"), ["events.amazonaws.com for any account"]),
        (service("s3", action="SQS:*"), ["s3.amazonaws.com for any account"]),
        (service("s3", Condition={"StringEquals": {"aws:SourceAccount": OWN}}), []),
        (service("s3", Condition={"StringEquals": {"aws:SourceOrgID": "o-1"}}), []),
        (service("s3", Condition={"ArnLike": {"aws:SourceArn": "*"}}), ["s3.amazonaws.com for any account"]),
        (service("s3", Condition={"Bool": {"aws:SecureTransport": "true"}}), ["s3.amazonaws.com for any account"]),
        (service("sns", Condition={"ArnEquals": {"aws:SourceArn": TOPIC}}), []),
        (service("events", action="sqs:ReceiveMessage"), []),
        (service("events", Condition={"StringEquals": {"aws:username": []}}), []),
        (policy("*", Condition={"Null": {"aws:SourceArn": []}}), []),
        (service("events", Condition={"StringNotEquals": {"aws:SourceArn": []}}), ["events.amazonaws.com for any account"]),
        (policy("*"), ["other accounts"]),
        (policy({"AWS": "*"}, Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}), ["other accounts"]),
        (policy("*", Condition={"ArnEquals": {"aws:SourceArn": TOPIC}}), []),
        (policy("*", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), ["other accounts"]),
        (policy("*", Condition={"StringEquals": {"aws:PrincipalAccount": OTHER}}), ["other accounts"]),
        (policy("*", Condition={"StringEquals": {"aws:PrincipalAccount": OWN}}), []),
        (policy("*", Condition={"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{OTHER}:role/*"}}), ["other accounts"]),
        (policy({"AWS": "*"}, Condition={"StringEquals": {"aws:VpceOrgID": "o-1"}}), ["other accounts"]),
        (policy("*", Condition={"StringEquals": {"AWS:SourceOwner": OTHER}}), ["other accounts"]),
        (policy("*", Condition={"StringEquals": {"AWS:SourceOwner": OWN}}), []),
        (policy("*", Condition={"ForAllValues:ArnEquals": RULE["ArnEquals"]}), ["other accounts"]),
        (policy("*", Condition={"ForAllValues:ArnEquals": RULE["ArnEquals"], "Null": {"aws:SourceArn": False}}), []),
        (policy(["*"]), ["other accounts"]),
        (policy({"AWS": f"arn:aws-cn:iam::{OTHER}:root"}), ["other accounts"]),
        (policy({"AWS": "arn:aws:iam::*:root"}), ["other accounts"]),
        (policy({"Federated": "cognito-identity.amazonaws.com"}), ["whoever cognito-identity.amazonaws.com lets in"]),
        (policy("*", Condition={"Bool": {"aws:PrincipalIsAWSService": "true"}}), ["every service of AWS for any account"]),
        (policy("*", Condition={"StringEquals": {"aws:PrincipalServiceName": "s3.amazonaws.com"}}), ["s3.amazonaws.com for any account"]),
        (policy("*", Condition={"Bool": {"aws:PrincipalIsAWSService": True}} | RULE), []),
        (service("s3", Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1"}}), []),
        (service("s3", Condition={"StringNotEquals": {"aws:SourceAccount": OWN}}), ["s3.amazonaws.com for any account"]),
        (service("s3", Condition={"StringLike": {"aws:SourceAccount": "1*"}}), ["s3.amazonaws.com for any account"]),
        (and_denied("*", "StringNotEquals", "aws:SourceAccount", OWN), []),
        (and_denied("*", "ArnNotEquals", "aws:SourceArn", TOPIC), []),
        (and_denied("*", "ArnNotEquals", "aws:SourceArn", "arn:aws:sns:*:*:*"), ["other accounts"]),
        (and_denied("*", "StringNotEquals", "aws:PrincipalOrgID", "o-1"), ["other accounts"]),
        (and_denied({"Service": "s3.amazonaws.com"}, "StringNotEqualsIfExists", "aws:SourceAccount", OWN), []),
        (and_denied({"Service": "s3.amazonaws.com"}, "StringEquals", "aws:SourceAccount", OWN), ["s3.amazonaws.com for any account"]),
        (and_denied({"Service": "s3.amazonaws.com"}, "StringNotEquals", "aws:SourceAccount", OWN, Action="sqs:ReceiveMessage"), ["s3.amazonaws.com for any account"]),
        (and_denied({"Service": "s3.amazonaws.com"}, "StringNotEquals", "aws:SourceAccount", OWN, Resource=QUEUE + "-2"), ["s3.amazonaws.com for any account"]),
        ({"Statement": {"Effect": "Allow", "NotPrincipal": {"AWS": OWN}, "NotAction": "sqs:DeleteQueue", "Resource": QUEUE}}, ["other accounts"]),
        (policy({"AWS": f"arn:aws:iam::{OTHER}:root"}), ["other accounts"]),
        (policy({"AWS": f"arn:aws:iam::{OWN}:role/sender"}), []),
    ],
)  # fmt: skip
def test_who_can_write(found: Any, who: list[str]) -> None:
    assert list(senders(found, OWN, "sqs:sendmessage")) == who


@pytest.mark.parametrize("odd", [
    policy(f"arn:aws:iam::{OTHER}:root"), policy([OTHER]), policy(5), policy(True), policy({"aws": OTHER}),
    policy({"AWS": {"x": OTHER}}), policy({"AWS": [[OTHER]]}), policy({"Service": ["s3.amazonaws.com", None]}), policy({"AWS": "arn:aws"}),
    service("s3", Condition={"ArnEquals": {"aws:SourceArn": None}}), service("s3", Condition={"ArnEquals": {"aws:SourceArn": {"a": 1}}}),
    service("s3", Condition="x"), service("s3", action=5), service("s3", action={"a": 1}), service("s3", Resource=[5]),
    policy("*", Condition={"IpAddress": {"aws:SourceIp": "all"}}), {"Statement": [[]]}, [policy("*")], "*", 5,
])  # fmt: skip
def test_what_is_no_policy_is_not_known(odd: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        list(senders(odd, OWN, "sqs:sendmessage"))
    assert list(topics(odd)) == []


class Filled(yaml.SafeLoader):
    """A template's references, filled."""


def _filled(_: Any, tag: str, node: yaml.Node) -> str:
    text = str(node.value).replace("${AWS::Partition}", "aws").replace("${TrailBucket}", "logs")
    return text if tag == "Sub" else RULE["ArnEquals"]["aws:SourceArn"]


Filled.add_multi_constructor("!", _filled)


def test_our_templates_hold_each_sender_to_its_rule_or_bucket() -> None:
    text = (Path(__file__).parents[2] / "deploy/aws/events-central.yaml").read_text()
    resources = yaml.load(text, Filled)["Resources"]
    found = [one["Properties"]["PolicyDocument"] for one in resources.values() if one["Type"] == "AWS::SQS::QueuePolicy"]  # fmt: skip
    assert len(found) == 2
    for one in found:
        assert list(senders(one, OWN, "sqs:sendmessage")) == []


class Answers:
    """What AWS answers: a policy, or an error's code."""

    def __init__(self, queue: Any, topic: Any = None) -> None:
        self.queue, self.topic, self.asked = queue, topic, list[str]()

    def own(self, name: str, region: str | None) -> "Answers":
        assert region == "eu-west-1"
        self.asked.append(name)
        return self

    def get_queue_attributes(self, **_: Any) -> dict[str, Any]:
        return self._said(self.queue, "GetQueueAttributes", {"QueueArn": QUEUE})

    def get_topic_attributes(self, **_: Any) -> dict[str, Any]:
        return self._said(self.topic, "GetTopicAttributes", {})

    def _said(self, what: Any, call: str, more: dict[str, str]) -> dict[str, Any]:
        if isinstance(what, str) and not what.startswith("{"):
            raise ClientError({"Error": {"Code": what, "Message": "no"}}, call)
        text = what if isinstance(what, str) or what is None else json.dumps(what)
        return {"Attributes": more | ({"Policy": text} if text else {})}


def said(answers: Answers) -> list[tuple[str, str]]:
    lines = list(queues(answers, [EventQueue(url=URL)]))  # type: ignore[arg-type]
    assert all(line.next for line in lines if line.state != "ok")
    return [(line.what, line.state) for line in lines]


def test_what_doctor_says() -> None:
    behind = service("sns", Condition={"ArnEquals": {"aws:SourceArn": TOPIC}})
    assert list(topics(behind)) == [TOPIC]
    trail = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "SNS:Publish", "Resource": TOPIC}]}  # fmt: skip
    held = trail["Statement"][0] | {
        "Condition": {
            "StringEquals": {"aws:SourceArn": f"arn:aws:cloudtrail:eu-west-1:{OTHER}:trail/t"}
        }
    }  # type: ignore[operator]
    assert said(Answers(None)) == [("queue events", "ok")]
    assert said(Answers(policy("*"))) == [("queue events", "fail")]
    assert said(Answers(behind, trail)) == [("queue events", "ok"), ("topic trail", "fail")]
    assert said(Answers(behind, trail | {"Statement": [held]})) == [("queue events", "ok"), ("topic trail", "ok")]  # fmt: skip
    assert said(Answers(behind, "AuthorizationError")) == [("queue events", "ok"), ("topic trail", "unknown")]  # fmt: skip
    for pattern in (f"arn:aws:sns:*:{OWN}:*", f"arn:aws:sns:eu-west-1:{OWN}:trai?"):
        every = service("sns", Condition={"ArnLike": {"aws:SourceArn": pattern}})
        assert said(Answers(every)) == [("queue events", "ok"), (f"topics {pattern}", "unknown")]
    every = service("sns", Condition={"StringEquals": {"aws:SourceAccount": OWN}})
    assert said(Answers(every)) == [("queue events", "ok"), (f"topics arn:*:sns:*:{OWN}:*", "unknown")]  # fmt: skip
    walled = and_denied("*", "ArnNotEquals", "aws:SourceArn", TOPIC)
    assert said(Answers(walled, trail)) == [("queue events", "ok"), ("topic trail", "fail")]
    sets = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "SNS:SetTopicAttributes",
        "Resource": TOPIC,
    }
    assert said(Answers(behind, trail | {"Statement": [sets]}))[1] == ("topic trail", "fail")
    for odd in ("AccessDenied", "{", '{"Statement": 5}', {"Statement": [{"Effect": "Allow", "Action": "sqs:*"}]}):  # fmt: skip
        assert said(Answers(odd))[0] == ("queue events", "unknown")
