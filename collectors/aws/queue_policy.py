"""Who can write to a queue of change events: by the policies of the queue, and of the SNS topics that send to it.

What is in a queue is believed as far as driftline.collectors.aws.events.origin can check it. SNS's signature would not add to that: it
says that SNS delivered a message, not who published it, and whoever can write to the queue can leave SNS's wrapping out."""

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
"""What lets somebody write, in small letters: who sets a topic's policy can publish. (SQS gives no other account the right
to set a queue's.)"""
HELD = "hold each statement to one sender by aws:SourceArn or aws:SourceOrgID, as deploy/aws/events-central.yaml does"
WRITTEN_OUT = "write the topics' ARNs in aws:SourceArn, without * or ?"
SNS = "sns.amazonaws.com"
SOURCES = {"aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths"}
"""What only services of AWS fill, and nobody who calls by himself: it names the sender."""
CALLERS = {
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:userid",
}
"""What a service that calls has not: with it no service passes. An organization's principals are many, and each of them
could write what it likes."""
ACTIONS = ("Action", "NotAction", "Resource", "NotResource")


def queues(organization: Organization, own: list[EventQueue]) -> Iterator[Line]:
    """Of each queue whether anybody else can write to it."""
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
    """Who can write (do one of some actions) though nothing holds them to one sender. Raises ValueError where the policy
    cannot be understood."""
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
    """Those of some actions that a statement is about."""
    for name in ACTIONS:
        if not all(isinstance(one, str) for one in many(statement.get(name))):
            raise ValueError(f"{name} is no text")
    return [action for action in actions.split() if acts(statement, action)]


def _held_service(allow: Statement) -> bool:
    """Whether a service passes only for a sender, an account or an organization that is named, or not at all."""
    keys = SOURCES | CALLERS | {"aws:sourceowner"}
    return any(one.narrows and one.key in keys for one in conditions(allow))


def _walled(allow: Statement, asked: list[str], denies: list[Statement], service: bool) -> bool:
    """Whether one Deny for everybody leaves in only a sender that it names."""
    return any(
        for_anybody(deny) and "NotPrincipal" not in deny and "NotResource" not in deny
        and all(action in _asked(deny, " ".join(asked)) for action in asked)
        and all(any(covers(wall, own) for wall in many(deny.get("Resource", "*"))) for own in many(allow.get("Resource", "*")))
        and all(_spares_one(one, service) for one in conditions(deny))
        for deny in denies
    )  # fmt: skip


def _spares_one(condition: PolicyCondition, service: bool) -> bool:
    if service and condition.services_only:
        return True
    keys = SOURCES | CALLERS if service else SOURCES
    return condition.spares_known and condition.key in keys


def _services(allow: Statement) -> Iterator[str]:
    """The services of AWS that a statement lets in, by their principals or by its conditions."""
    yield from _named(allow, "Service")
    only = [one for one in conditions(allow) if one.services_only]
    if only and for_anybody(allow):
        named = [str(value) for one in only if one.key in SERVICES for value in one.values]
        yield from named or ["every service of AWS"]


def _named(allow: Statement, kind: str) -> list[str]:
    principal = allow.get("Principal")
    return [str(one) for one in many(principal.get(kind))] if isinstance(principal, dict) else []


def topics(policy: Any) -> Iterator[str]:
    """The SNS topics that a queue's policy lets in: ARNs, or patterns of them."""
    try:
        yield from dict.fromkeys(_topics(policy) if policy is not None else ())
    except ValueError:
        return  # that it cannot be understood is told already


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
