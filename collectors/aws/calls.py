"""What botocore knows of a call as CloudTrail names it: whether there is such a call, its relatives, and where its
request may say what. Detections are proven with it (driftline.pipeline.detections.calls)."""

import gzip
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import botocore.session
from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, Shape, StructureShape

from driftline.collectors.aws.events.claims import SOURCES, bare, claims
from driftline.collectors.aws.shapes import service_model

DEEPEST = 6
"""Of a parameter that is listed."""
READS = ("Describe", "List", "Get", "BatchGet", "Head", "Search", "Lookup", "Select", "Scan", "Query", "Simulate", "Check",
         "Test", "Validate", "Preview", "Estimate", "Wait")  # fmt: skip
OVERVIEWS = ("Describe", "List", "Head", "Search", "Tag", "Untag")
"""Calls that show no content, or change only tags: nothing's relatives."""
SERVICES = {"elasticloadbalancing": ("elb", "elbv2"), "rds": ("rds", "docdb", "neptune"), "s3": ("s3", "s3control"),
            "apigateway": ("apigateway", "apigatewayv2"), "es": ("es", "opensearch")}  # fmt: skip
"""CloudTrail's sources that several services of botocore write."""
OTHER_NAMES = {
    "s3": {"PutBucketPublicAccessBlock": "PutPublicAccessBlock", "DeleteBucketPublicAccessBlock": "DeletePublicAccessBlock",
           "GetBucketPublicAccessBlock": "GetPublicAccessBlock", "PutAccountPublicAccessBlock": "PutPublicAccessBlock",
           "DeleteAccountPublicAccessBlock": "DeletePublicAccessBlock", "GetAccountPublicAccessBlock": "GetPublicAccessBlock",
           "PutBucketObjectLockConfiguration": "PutObjectLockConfiguration", "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
           "PutBucketNotification": "PutBucketNotificationConfiguration"},
}  # fmt: skip
"""Events that are not named as their operation is."""
NO_CALLS = {
    "kms": {"DeleteKey", "RotateKey"}, "secretsmanager": {"RotationStarted", "RotationSucceeded", "RotationFailed"},
    "signin": {"ConsoleLogin", "GetSigninToken", "SwitchRole", "ExitRole", "RenewRole", "CheckMfa", "UserAuthentication",
               "CredentialChallenge", "CredentialVerification", "PasswordRecoveryRequested", "PasswordRecoveryCompleted",
               "EmailUpdated", "PasswordUpdated"},
    "ec2-instance-connect": {"OpenTunnel"},
    "ec2": {"SharedSnapshotCopyInitiated", "SharedSnapshotVolumeCreated"}, "organizations": {"CreateAccountResult"},
}  # fmt: skip
"""Events of services that are no calls."""
UNLIKE = ("apigateway",)
"""Services whose parameters CloudTrail writes otherwise than botocore names them (below `createRestApiInput`)."""
S3 = ("s3", "s3control")
"""Services whose parameters CloudTrail writes as they are sent: in the address, in headers and as XML."""
S3_OWN = frozenset(
    {"Host", "bucketName", "key", "accountId", "bucketPolicy", "xmlns", "xmlns:xsi", "xsi:type"}
    | {f"X-Amz-{name}" for name in ("Algorithm", "Credential", "Date", "Expires", "Security-Token", "Signature", "SignedHeaders")}
)  # fmt: skip
"""What every request of S3 may have beside that."""
DOCUMENTS = frozenset({"bucketPolicy"})
"""Parameters whose text CloudTrail writes as the document that it is."""
WITHOUT_MODEL = frozenset(
    {"sso-directory", "aws-portal", "billingconsole", "payments", "consoleapp"}
)
"""Sources of which botocore knows no call."""
VERSIONED = ("lambda", "cloudfront")
"""Sources that append the version of the interface to an event's name."""
_CALL = re.compile(r"(Batch)?([A-Z][a-z]+)(.*)")
_VARIANT = re.compile(r"(?<=DB)(Cluster|Instance)|V[0-9]$|(Ingress|Egress|Rules?)$")
_BY_WHAT = re.compile(r"(From|To|By|With)(?=[A-Z]).*$")
_ENDPOINT = re.compile(r'"endpointPrefix":\s*"([^"]+)"')
BEGINNING = 4096
"""Characters of a model, with its metadata in them."""
_DATE = re.compile(r"/(\d{4}-\d{2}-\d{2})/")
_EVENTS_OWN = frozenset({"items", "member", "tag", "content"})


class BotocoreOperation(NamedTuple):
    """An operation of botocore."""

    service: str
    operation: str


@cache
def services(source: str) -> tuple[str, ...]:
    """botocore's services that CloudTrail calls so (`rds` of `rds.amazonaws.com`); none where it knows none."""
    if source in SERVICES:
        return SERVICES[source]
    names = [source, *(service for service, own in SOURCES.items() if own == source)]
    known = botocore.session.get_session().get_available_services()
    found = [name for name in names if name in known]
    return tuple(dict.fromkeys([*_by_endpoint().get(source, ()), *found]))


@cache
def _by_endpoint() -> dict[str, tuple[str, ...]]:
    """By the first label of services' addresses, from the beginnings of their models: for a source of another name than its
    service."""
    out: dict[str, tuple[str, ...]] = {}
    for folder in Loader().search_paths:
        for path in sorted(Path(folder).glob("*/*/service-2.json.gz")):
            with gzip.open(path, "rt", encoding="utf-8") as text:
                found = _ENDPOINT.search(text.read(BEGINNING))
            if found and path.parts[-3] not in out.get(found[1], ()):
                out[found[1]] = (*out.get(found[1], ()), path.parts[-3])
    return out


@cache
def names(source: str) -> frozenset[str]:
    """The events of a source that are known; none where botocore does not know the source."""
    found = {operation for service in services(source) for operation in service_model(service).operation_names}  # fmt: skip
    return frozenset(found | OTHER_NAMES.get(source, {}).keys() | NO_CALLS.get(source, set())) if found else frozenset()  # fmt: skip


@cache
def call(source: str, event: str) -> BotocoreOperation | None:
    """The operation of an event. None where there is none."""
    operation = OTHER_NAMES.get(source, {}).get(bare(event), bare(event))
    return next((BotocoreOperation(service, operation) for service in services(source) if operation in service_model(service).operation_names), None)  # fmt: skip


def names_resource(source: str, event: str) -> bool:
    """Whether a row hears of a resource by this event: else `driftline.uid` is the account's."""
    return (source, bare(event)) in claims()


@cache
def relatives(source: str, event: str) -> tuple[str, ...]:
    """The calls about the same thing: one and many, of clusters and instances, by versions, and its making, changing and
    deletion. Of a call that reads: those that read it too."""
    own = _key(bare(event))
    if own is None:
        return ()
    every = names(source) - NO_CALLS.get(source, set()) - set(OTHER_NAMES.get(source, {}).values())
    return tuple(sorted(name for name in every if name != bare(event) and _key(name) == own))


def _key(event: str) -> tuple[bool, str] | None:
    """What relatives have in common: whether they read, and the thing."""
    match = _CALL.fullmatch(event)
    if match is None or match[2] in OVERVIEWS:
        return None
    _, verb, thing = match.groups()
    reads = verb in READS
    if verb in ("Restore", "Copy", "Assume") or reads:
        thing = _BY_WHAT.sub("", thing)
    thing = _VARIANT.sub("", _VARIANT.sub("", thing))
    thing = re.sub(r"ies$", "y", thing)
    return (reads, re.sub(r"(?<!s)s$", "", thing)) if thing else None


def versions(source: str, event: str) -> tuple[str, ...]:
    """What else CloudTrail may append to an event's name: the interface's version."""
    found = call(source, event)
    if source not in VERSIONED or found is None:
        return ()
    date = _DATE.match(
        service_model(found.service).operation_model(found.operation).http["requestUri"]
    )
    separator = "" if source == "lambda" else "_"
    return (date[1].replace("-", separator),) if date else ()


def versioned(source: str, event: str) -> tuple[str, ...]:
    """An event's name with the version of the interface, as CloudTrail may write it: UpdateFunctionCode20150331v2."""
    revisions = ("", "v2") if source == "lambda" else ("",)
    return tuple(
        f"{event}{version}{revision}"
        for version in versions(source, event)
        for revision in revisions
    )


@cache
def places(source: str, event: str) -> dict[str, str]:
    """Where a request says what, below `requestParameters`: by its plain form (`plain`), as CloudTrail writes it."""
    found = call(source, event)
    if found is None:
        return {}
    model = service_model(found.service)
    shape = model.operation_model(found.operation).input_shape
    ec2 = model.metadata["protocol"] == "ec2"
    sent = ec2 or found.service in S3
    paths = _leaves(shape, (), frozenset(), ec2=ec2, sent=sent) if shape else ()
    return {plain(path): path for path in (".".join(steps) for steps in paths)}


def _leaves(
    shape: Shape, above: tuple[str, ...], within: frozenset[str], *, ec2: bool, sent: bool
) -> Iterator[tuple[str, ...]]:
    """`sent`: members are called as they are sent (S3: `Rule`, not `Rules`)."""
    if isinstance(shape, ListShape):
        yield from _leaves(
            shape.member, (*above, "items") if ec2 else above, within, ec2=ec2, sent=sent
        )
    elif isinstance(shape, StructureShape) and shape.name not in within and len(above) < DEEPEST:
        for name, member in shape.members.items():
            step = written(member.serialization.get("name", name) if sent else name)
            yield from _leaves(member, (*above, step), within | {shape.name}, ec2=ec2, sent=sent)
    elif not isinstance(shape, StructureShape | MapShape) or above:
        yield above


def written(member: str) -> str:
    """How CloudTrail writes a parameter's name: with a small first letter."""
    return member[:1].lower() + member[1:]


def plain(path: str) -> str:
    """A path without case, list markers and the name of the request: as forms are compared."""
    steps = [step for step in path.split(".") if step not in _EVENTS_OWN]
    if steps and steps[0].endswith("Request"):
        steps = steps[1:]
    return ".".join(steps).casefold()


@cache
def members(source: str, event: str) -> frozenset[str]:
    """Every name that CloudTrail may write in a request's parameters. Empty: not known."""
    found = call(source, event)
    if found is None or found.service in UNLIKE:
        return frozenset()
    if found.service in S3:
        return _s3_members(found.operation)
    ec2 = service_model(found.service).metadata["protocol"] == "ec2"
    return frozenset(name for shape in _inputs((found,)) for name in _names(shape, frozenset(), ec2))  # fmt: skip


@cache
def free(source: str, event: str) -> frozenset[str]:
    """The names in a request's parameters below which any name may stand: maps, and documents."""
    found = call(source, event)
    if found is None:
        return frozenset()
    shapes = _inputs((found,))
    maps = (name for shape in shapes for name in _maps(shape, frozenset()))
    return DOCUMENTS | {name for one in maps for name in (one, written(one))}


def _inputs(calls: Iterable[BotocoreOperation]) -> list[Shape]:
    found = (service_model(one.service).operation_model(one.operation).input_shape for one in calls)
    return [shape for shape in found if shape is not None]


def _maps(shape: Shape, within: frozenset[str]) -> Iterator[str]:
    """The members that are maps."""
    if isinstance(shape, ListShape):
        yield from _maps(shape.member, within)
    elif isinstance(shape, StructureShape) and shape.name not in within:
        for name, member in shape.members.items():
            if isinstance(member, MapShape):
                yield name
            yield from _maps(member, within | {shape.name})


def _s3_members(operation: str) -> frozenset[str]:
    """Of both services of S3 that have the operation, and of its second version: an event does not say which it was."""
    names = (operation, f"{operation}V2")
    found = [BotocoreOperation(one, name) for one in S3 for name in names if name in service_model(one).operation_names]  # fmt: skip
    out = set(S3_OWN)
    for one in found:
        asked = service_model(one.service).operation_model(one.operation).http["requestUri"]
        out.update(part.partition("=")[0] for part in asked.partition("?")[2].split("&") if part)
    for shape in _inputs(found):
        out.update(_sent(shape, frozenset()))
        if isinstance(shape, StructureShape):
            out.update(map(written, shape.members))
    return frozenset(out)


def _sent(shape: Shape, within: frozenset[str]) -> Iterator[str]:
    """The names of members, and those by which they are sent."""
    if isinstance(shape, ListShape):
        yield str(shape.member.serialization.get("name", "member"))
        yield from _sent(shape.member, within)
    elif isinstance(shape, StructureShape) and shape.name not in within:
        for name, member in shape.members.items():
            yield from (name, str(member.serialization.get("name", name)))
            yield from _sent(member, within | {shape.name})


def _names(shape: Shape, within: frozenset[str], ec2: bool) -> Iterator[str]:
    if isinstance(shape, ListShape):
        yield from _names(shape.member, within, ec2)
    elif isinstance(shape, MapShape):
        yield from _names(shape.value, within, ec2)
    elif isinstance(shape, StructureShape) and shape.name not in within:
        for name, member in shape.members.items():
            yield written(name)
            if ec2:  # some requests are written as they are sent
                sent = str(member.serialization.get("name", name))
                yield from (
                    name,
                    sent,
                    written(sent),
                    *(_sets(sent) if isinstance(member, ListShape) else ()),
                )
            yield from _names(member, within | {shape.name}, ec2)


def _sets(name: str) -> Iterator[str]:
    """What EC2's events call a list."""
    one = written(name).removesuffix("Id")
    yield from (f"{one}Set", f"{one}sSet", f"{one.removesuffix('s')}Set")


def sources() -> frozenset[str]:
    """The sources that are known."""
    return (
        WITHOUT_MODEL
        | frozenset(_by_endpoint())
        | frozenset(SERVICES)
        | frozenset(SOURCES.values())
        | frozenset(botocore.session.get_session().get_available_services())
    )
