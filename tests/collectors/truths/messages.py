"""Queues, topics and event buses, in eu-west-1."""

import json

from tests.collectors.moto import Moto
from tests.collectors.truth import Truth
from tests.collectors.truth_data import shared

TYPES = {"AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::Events::EventBus"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()

OTHERS = ("other", "organization")


def build(moto: Moto) -> Truth:
    return _queues(moto) | _topics(moto) | _buses(moto)


def _queues(moto: Moto) -> Truth:
    sqs, truth = moto.client("sqs", "eu-west-1"), Truth()
    public, others, plain = "sqs-queue-policy-not-public", "sqs-queue-policy-own-account", "sqs-queue-encrypted"  # fmt: skip
    for name, (text, breaks) in shared("q", public, "sqs:SendMessage").items():
        own = {"SqsManagedSseEnabled": "true"} | ({"Policy": text} if text else {})
        sqs.create_queue(QueueName=name, Attributes=own)
        truth[name] = breaks | ({others} if name.endswith(OTHERS) else set())
    sqs.create_queue(QueueName="q-plain", Attributes={"SqsManagedSseEnabled": "false"})
    sqs.create_queue(QueueName="q-key", Attributes={"KmsMasterKeyId": "alias/aws/sqs"})
    return truth | {"q-plain": {plain}, "q-key": set()}


def _topics(moto: Moto) -> Truth:
    sns, truth = moto.client("sns", "eu-west-1"), Truth()
    public, others, plain = "sns-topic-policy-not-public", "sns-topic-policy-own-account", "sns-topic-encrypted"  # fmt: skip
    for name, (text, breaks) in shared("n", public, "sns:Publish").items():
        arn = sns.create_topic(Name=name)["TopicArn"]  # with the policy that AWS makes
        if text:
            sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=text)
        truth[name] = breaks | {plain} | ({others} if name.endswith(OTHERS) else set())
    sns.create_topic(Name="n-key", Attributes={"KmsMasterKeyId": "alias/aws/sns"})
    return truth | {"n-key": set()}


def _buses(moto: Moto) -> Truth:
    """Every region has one of AWS's own, without a policy."""
    events, truth = moto.client("events", "eu-west-1"), Truth()
    public, others = "events-bus-policy-not-public", "events-bus-policy-own-account"
    for name, (text, breaks) in shared("b", public, "events:PutEvents").items():
        events.create_event_bus(Name=name)
        if text:
            named = json.loads(text)
            for number, statement in enumerate(named["Statement"]):
                statement["Sid"] = f"s{number}"
            events.put_permission(EventBusName=name, Policy=json.dumps(named))
        truth[name] = breaks | ({others} if name.endswith(OTHERS) else set())
    return truth | {"default@eu-west-1": set(), "default@us-east-1": set()}
