"""Determines who can write to a queue of change events, from the policies of the queue and of SNS topics that send to it.

Queue messages are trusted as far as driftline.collectors.aws.events.origin can check them. SNS signatures would not add to that: they
prove that SNS delivered a message, not who published it, and anyone who can write to the queue can omit the SNS envelope."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import orjson

from driftline.collectors.aws.api.errors import ERRORS, trouble
from driftline.collectors.aws.api.organization import Organization
from driftline.collectors.aws.api.partitions import of_region
from driftline.collectors.aws.settings import EventQueue
from driftline.pipeline.ops.checks import Line
from driftline.pipeline.rulebook.aws.condition_block import conditions
from driftline.pipeline.rulebook.aws.grants import gives_others
from driftline.pipeline.rulebook.aws.policy_condition import SERVICES, PolicyCondition
from driftline.pipeline.rulebook.aws.resource_policy import for_anybody
from driftline.pipeline.rulebook.aws.statement import Statement, acts, covers, many, statements

SEND, PUBLISH = "sqs:sendmessage", "sns:publish sns:addpermission sns:settopicattributes"
"""Actions that allow writing, in lower case: whoever may set a topic's policy can publish. (SQS does not allow other accounts
to set a queue's policy.)"""
HELD = "hold each statement to one sender by aws:SourceArn or aws:SourceOrgID, as deploy/aws/events-central.yaml does"
WRITTEN_OUT = "write the topics' ARNs in aws:SourceArn, without * or ?"
SNS = "sns.amazonaws.com"
SOURCES = {"aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths"}
"""Keys that only AWS services set, which identify the sender."""
CALLERS = {
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:userid",
}
"""Keys that calls by services lack, so that a condition on them excludes services. An organization has many principals, each of
which could write anything."""
ACTIONS = ("Action", "NotAction", "Resource", "NotResource")


def queues(organization: Organization, own: list[EventQueue]) -> Iterator[Line]:
    """Checks for each queue whether anyone else can write to it."""
    for queue in own:
        what = f"queue {queue.url.rsplit('/', 1)[-1]}"
        host = urlsplit(queue.url).hostname or ""
        region = next((one for one in host.split(".") if of_region(one)), None)
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
            if set(topic) & set("*?"):
                told = "which of them can write to the queue is not written out: who can publish to one of them is not looked at"
                yield Line(f"topics {topic}", "unknown", told, WRITTEN_OUT)
            else:
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


def senders(policy: Any, account: str, actions: str) -> Iterator[str]:
    """Who can write (perform any of some actions) without being restricted to one sender. Raises ValueError if the policy
    cannot be evaluated."""
    if policy is None:
        return
    denies = list(statements(policy, "Deny"))
    given = [(allow, asked) for allow in statements(policy) if (asked := _asked(allow, actions))]
    others = [
        allow for allow, asked in given
        if not any(one.narrows and one.key in SOURCES for one in conditions(allow)) and not _walled(allow, asked, denies, False)
    ]  # fmt: skip
    if others and gives_others({"Statement": [*others, *denies]}, account, actions):
        yield "other accounts"
    for allow, asked in given:
        if _held_service(allow) or _walled(allow, asked, denies, True):
            continue
        yield from (f"{service} for any account" for service in _services(allow))
        yield from (f"whoever {provider} lets in" for provider in _named(allow, "Federated"))


def _asked(statement: Statement, actions: str) -> list[str]:
    """The actions among those given that a statement covers."""
    for name in ACTIONS:
        if not all(isinstance(one, str) for one in many(statement.get(name))):
            raise ValueError(f"{name} is no text")
    return [action for action in actions.split() if acts(statement, action)]


def _held_service(allow: Statement) -> bool:
    """Whether a service is allowed only for a named sender, account or organization, or not at all."""
    keys = SOURCES | CALLERS | {"aws:sourceowner"}
    return any(one.never or (one.narrows and one.key in keys) for one in conditions(allow))


def _walled(allow: Statement, asked: list[str], denies: list[Statement], service: bool) -> bool:
    """Whether a Deny for everyone excludes only a named sender."""
    return any(
        for_anybody(deny) and "NotPrincipal" not in deny and "NotResource" not in deny
        and all(action in _asked(deny, " ".join(asked)) for action in asked)
        and all(any(covers(wall, own) for wall in many(deny.get("Resource", "*"))) for own in many(allow.get("Resource", "*")))
        and all(_spares_one(one, service) for one in conditions(deny))
        for deny in denies
    )  # fmt: skip


def _spares_one(condition: PolicyCondition, service: bool) -> bool:
    if condition.always or (service and condition.services_only):
        return True
    keys = SOURCES | CALLERS if service else SOURCES
    return condition.spares_known and condition.key in keys


def _services(allow: Statement) -> Iterator[str]:
    """The AWS services that a statement allows, by its principals or conditions."""
    yield from _named(allow, "Service")
    only = [one for one in conditions(allow) if one.services_only]
    if only and for_anybody(allow):
        named = [str(value) for one in only if one.key in SERVICES for value in one.values]
        yield from named or ["every service of AWS"]


def _named(allow: Statement, kind: str) -> list[str]:
    principal = allow.get("Principal")
    return [str(one) for one in many(principal.get(kind))] if isinstance(principal, dict) else []


def topics(policy: Any) -> Iterator[str]:
    """The SNS topics that a queue's policy allows: ARNs or patterns."""
    try:
        yield from dict.fromkeys(_topics(policy) if policy is not None else ())
    except ValueError:
        return  # already reported as not evaluable


def _topics(policy: Any) -> Iterator[str]:
    denies = [one for deny in statements(policy, "Deny") for one in conditions(deny)]
    for allow in statements(policy):
        services = _named(allow, "Service")
        if not acts(allow, SEND) or not (SNS in services or (not services and for_anybody(allow))):
            continue
        asked = conditions(allow)
        sources = [
            str(value)
            for one in (*asked, *denies)
            if one.key == "aws:sourcearn"
            for value in one.values
        ]
        yield from (
            arn for arn in sources if arn.count(":") == 5 and covers(arn.split(":")[2], "sns")
        )
        if (
            SNS in services
            and not any(one.key == "aws:sourcearn" for one in asked)
            and _held_service(allow)
        ):
            accounts = [
                str(value)
                for one in asked
                if one.key in ("aws:sourceaccount", "aws:sourceowner")
                for value in one.values
            ]
            yield from (f"arn:*:sns:*:{account}:*" for account in accounts or ["*"])


def _read(policy: Any) -> Any:
    try:
        return orjson.loads(policy) if policy else None
    except (ValueError, TypeError):
        return policy


def _unread(what: str, action: str, error: Exception) -> Line:
    why = trouble(error)
    step = f"allow {action} (driftline permissions aws prints the policy)" if why.reason == "denied" else "try again"  # fmt: skip
    return Line(what, "unknown", f"who can write to it is not known: {action}: {why.code}", step)
