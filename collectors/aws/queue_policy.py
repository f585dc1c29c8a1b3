"""Who can write to a queue of change events: by the policies of the queue, and of the SNS topics that send to it.

What is in a queue is believed as far as collectors.aws.events.origin can check it. SNS's signature would not add to that: it
says that SNS delivered a message, not who published it, and whoever can write to the queue can leave SNS's wrapping out."""

from collections.abc import Iterator
from typing import Any

import orjson

from collectors.aws.errors import ERRORS, trouble
from collectors.aws.organization import Organization
from collectors.aws.partitions import of_region
from pipeline.doctor import Line
from pipeline.rulebook.condition import conditions
from pipeline.rulebook.grants import gives_others
from pipeline.rulebook.policy import acts, many, statements
from pipeline.settings import EventQueue

SEND, PUBLISH = "sqs:sendmessage", "sns:publish"
HELD = "hold each statement to one sender by aws:SourceArn or aws:SourceOrgID, as deploy/aws/events-central.yaml does"
SNS = "sns.amazonaws.com"
ELSEWHERE = ("aws:sourceip", "aws:sourcevpc", "aws:sourcevpce")
"""Conditions on where a call comes from, and not on who calls."""


def queues(organization: Organization, own: list[EventQueue]) -> Iterator[Line]:
    """Of each queue whether anybody else can write to it."""
    for queue in own:
        what = f"queue {queue.url.rsplit('/', 1)[-1]}"
        region = next((one for one in queue.url.split(".") if of_region(one)), None)
        try:
            answer = organization.own("sqs", region).get_queue_attributes(
                QueueUrl=queue.url, AttributeNames=["Policy", "QueueArn"]
            )
        except ERRORS as error:
            yield _unread(what, "sqs:GetQueueAttributes", error)
            continue
        found = answer.get("Attributes", {})
        account = str(found.get("QueueArn", "")).split(":")[4:5]
        policy = _read(found.get("Policy"))
        yield from _told(what, policy, "".join(account), SEND)
        for topic in topics(policy):
            yield from _topic(organization, topic)


def _topic(organization: Organization, arn: str) -> Iterator[Line]:
    what, steps = f"topic {arn.rsplit(':', 1)[-1]}", arn.split(":")
    try:
        answer = organization.own("sns", steps[3]).get_topic_attributes(TopicArn=arn)
    except ERRORS as error:
        yield _unread(what, "sns:GetTopicAttributes", error)
        return
    yield from _told(what, _read(answer.get("Attributes", {}).get("Policy")), steps[4], PUBLISH)


def _told(what: str, policy: Any, account: str, action: str) -> Iterator[Line]:
    try:
        others = list(senders(policy, account, action))
    except ValueError as why:
        yield Line(what, "unknown", f"who can write to it is not known: {why}", HELD)
        return
    if others:
        yield Line(what, "fail", f"can be written to by {', '.join(others)}: who can, can forge change events", HELD)  # fmt: skip
    else:
        yield Line(what, "ok", "only senders that its policy names, and its own account, can write to it")  # fmt: skip


def senders(policy: Any, account: str, action: str) -> Iterator[str]:
    """Who can write though nothing holds them to one sender. Raises ValueError where the policy cannot be understood."""
    if policy is None:
        return
    loose = [allow for allow in statements(policy) if acts(allow, action) and not _held(allow)]
    if loose and gives_others(
        {"Statement": [*loose, *statements(policy, "Deny")]}, account, action
    ):
        yield "other accounts"
    for allow in loose:
        principal = allow.get("Principal")
        for service in many(principal.get("Service")) if isinstance(principal, dict) else []:
            yield f"{service} for any account"


def _held(allow: Any) -> bool:
    """Whether a statement is for a sender, an account or an organization that it names."""
    return any(
        one.narrows and not one.services_only and one.key not in ELSEWHERE
        for one in conditions(allow)
    )


def topics(policy: Any) -> Iterator[str]:
    """The SNS topics that a queue's policy lets in, written out."""
    try:
        for allow in statements(policy) if policy is not None else ():
            principal = allow.get("Principal")
            services = many(principal.get("Service")) if isinstance(principal, dict) else []
            if acts(allow, SEND) and (SNS in services or principal == "*" or services == []):
                named = [str(value) for one in conditions(allow) for value in one.values]
                yield from (arn for arn in named if arn.count(":") == 5 and arn.split(":")[2] == "sns" and "*" not in arn)  # fmt: skip
    except ValueError:
        return  # that it cannot be understood is told already


def _read(policy: Any) -> Any:
    try:
        return orjson.loads(policy) if policy else None
    except (ValueError, TypeError):
        return policy


def _unread(what: str, action: str, error: Exception) -> Line:
    why = trouble(error)
    step = f"allow {action} (driftline permissions aws prints the policy)" if why.reason == "denied" else "try again"  # fmt: skip
    return Line(what, "unknown", f"who can write to it is not known: {action}: {why.code}", step)
