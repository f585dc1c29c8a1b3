"""The paths by which rows find a resource in an event, held against botocore's models: each names a member of the
request or the answer, as CloudTrail writes it.

CloudTrail writes members with a small first letter (`aRN`, `hostedZoneId`), EC2's and S3's by the names under which they
are sent. Public examples of the services whose answers are XML: CloudFront's and Route 53's developer guides."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.model import ListShape, Shape, StructureShape

from driftline.collectors.aws.calls import NO_CALLS, OTHER_NAMES, S3, S3_OWN, services, written
from driftline.collectors.aws.events.claims import SOURCES, RowMatch, bare, claims
from driftline.collectors.aws.events.names import NoNames
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.aws.row import Kind, kinds
from driftline.collectors.aws.shapes import service_model
from driftline.collectors.redact import Redactor
from tests.collectors.events.samples import ACCOUNT, event

FILTER = re.compile(r"\[\?.*?\]|\[\d*\]")
BESIDE = {
    ("ec2", "requestParameters"): ("resourcesSet.items.resourceId",),
    ("kms", "responseElements"): ("keyId",),
    ("secretsmanager", "responseElements"): ("arn",),
    ("secretsmanager", "requestParameters"): ("name",),
    ("elasticmapreduce", "responseElements"): ("clusterId",),
}
"""What events have beside the models, as public records show."""
MEMBER = re.compile(r"(requestParameters|responseElements)((?:\.\w+)+)")


def members(path: str) -> Iterator[tuple[str, list[str]]]:
    """The members that a path names: of which side, and their steps."""
    for side, below in MEMBER.findall(FILTER.sub("", path)):
        yield side, below.strip(".").split(".")


def shapes(source: str, name: str, side: str) -> Iterator[tuple[str, Shape]]:
    """The service and shape of every operation that an event may be."""
    operation = OTHER_NAMES.get(source, {}).get(name, name)
    for service in services(source):
        model = service_model(service)
        for found in model.operation_names:
            if bare(found) in (name, operation):
                one = model.operation_model(found)
                shape = one.input_shape if side == "requestParameters" else one.output_shape
                if shape is not None:
                    yield service, shape


def spelled(service: str, name: str, member: Shape) -> set[str]:
    """How CloudTrail may write a member."""
    sent = str(member.serialization.get("name", name))
    if service in S3:
        return {name, written(name), sent, written(sent)}
    if service_model(service).metadata["protocol"] != "ec2":
        return {written(name)}
    one = written(sent).removesuffix("Id")
    sets = (
        {f"{one}Set", f"{one}sSet", f"{one.removesuffix('s')}Set"}
        if isinstance(member, ListShape)
        else set()
    )
    return {written(name), sent, written(sent), *sets}


def there(service: str, shape: Shape, steps: list[str]) -> bool:
    """Whether a shape has a member at these steps."""
    while isinstance(shape, ListShape):
        own = {written(str(shape.member.serialization.get("name")))}
        shape, steps = shape.member, steps[1:] if steps[:1] in (["items"], ["item"]) else steps
        if not isinstance(shape, ListShape | StructureShape) and len(steps) == 1:
            return steps[0] in own  # EC2's ids: instancesSet.items[].instanceId
    if not steps:
        return True
    if not isinstance(shape, StructureShape):
        return False
    return any(
        there(service, member, steps[1:])
        for name, member in shape.members.items()
        if steps[0] in spelled(service, name, member)
    )


def known(source: str, name: str, side: str, steps: list[str]) -> bool:
    """Whether an event has this member, by botocore's models and what is known beside them."""
    if ".".join(steps) in BESIDE.get((source, side), ()):
        return True
    wrapper = re.fullmatch(rf"{name}(Request|Response)", steps[0])
    steps = steps[1:] if source == "ec2" and wrapper else steps
    return any(
        there(service, shape, steps)
        or (service in S3 and steps[0] in S3_OWN)
        or (source == "rds" and side == "responseElements" and unwrapped(service, shape, steps))
        for service, shape in shapes(source, name, side)
    )


def unwrapped(service: str, shape: Shape, steps: list[str]) -> bool:
    """RDS's events leave out what an answer's one member is called (`dBInstance`)."""
    return any(there(service, member, steps) for member in getattr(shape, "members", {}).values())


CALLS = [
    pytest.param(source, name, found, id=f"{source}:{name}")
    for (source, name), found in sorted(claims().items())
    if name not in NO_CALLS.get(source, ()) and any(shapes(source, name, "requestParameters"))
]


@pytest.mark.parametrize(("source", "name", "found"), CALLS)
def test_an_event_names_its_resource_where_its_rows_look(
    source: str, name: str, found: list[RowMatch]
) -> None:
    for claim in found:
        places = [place for path in claim.touch.paths for place in members(path)]
        if places and "userIdentity" not in str(claim.touch.id):
            assert any(known(source, name, side, steps) for side, steps in places), claim.kind.type


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.type) for kind in kinds().values()])
def test_no_path_of_a_row_is_one_that_no_event_has(kind: Kind) -> None:
    for touch in kind.events:
        source = touch.source or SOURCES.get(kind.service, kind.service)
        calls = [name for _, name in touch.names() if name not in NO_CALLS.get(source, ())]
        paths = [*touch.paths, touch.owner or ""] if calls else []
        for side, steps in (place for path in paths for place in members(path)):
            assert any(known(source, name, side, steps) for name in calls), (side, steps)


REST = "arn:aws:apigateway:eu-west-1::/restapis/3rbEXAMPLE"
ZONE = "arn:aws:route53:::hostedzone/Z1PA6795UKMFR9"
DISTRIBUTION = f"arn:aws:cloudfront::{ACCOUNT}:distribution/EDFDVBD6EXAMPLE"


@pytest.mark.parametrize(
    ("source", "name", "request_", "answer", "uid"),
    [
        ("cloudfront", "UpdateDistribution2020_05_31", {"distributionConfig": {"webACLId": ""}, "id": "EDFDVBD6EXAMPLE", "ifMatch": "E1"},
         {"distribution": {"id": "EDFDVBD6EXAMPLE", "aRN": DISTRIBUTION}, "eTag": "E2"}, DISTRIBUTION),
        ("cloudfront", "CreateDistributionWithTags2020_05_31", {"distributionConfigWithTags": {"distributionConfig": {"enabled": True}}},
         {"location": "https://…", "distribution": {"id": "EDFDVBD6EXAMPLE", "aRN": DISTRIBUTION}}, DISTRIBUTION),
        ("cloudfront", "TagResource2020_05_31", {"resource": DISTRIBUTION, "tags": {"items": [{"key": "a", "value": "b"}]}}, None, DISTRIBUTION),
        ("route53", "ChangeResourceRecordSets", {"hostedZoneId": "Z1PA6795UKMFR9", "changeBatch": {"changes": []}},
         {"changeInfo": {"id": "/change/C1", "status": "PENDING"}}, ZONE),
        ("route53", "CreateHostedZone", {"name": "example.com", "vPC": {"vPCId": "vpc-1"}},
         {"hostedZone": {"id": "/hostedzone/Z1PA6795UKMFR9", "name": "example.com."}}, ZONE),
        ("route53", "DeleteHostedZone", {"id": "Z1PA6795UKMFR9"}, {"changeInfo": {"id": "/change/C1"}}, ZONE),
        ("route53", "ChangeTagsForResource", {"resourceType": "hostedzone", "resourceId": "Z1PA6795UKMFR9", "addTags": []}, None, ZONE),
        ("apigateway", "CreateStage", {"stageName": "live", "autoDeploy": True, "apiId": "pxzfkfmjo7"}, {"stageName": "live"},
         "arn:aws:apigateway:eu-west-1::/apis/pxzfkfmjo7"),
        ("apigateway", "CreateRestApi", {"createRestApiInput": {"name": "shop"}}, {"id": "3rbEXAMPLE", "name": "shop"}, REST),
        ("apigateway", "UpdateStage", {"restApiId": "3rbEXAMPLE", "stageName": "live", "patchOperations": []}, None, REST),
        ("apigateway", "TagResource", {"resourceArn": REST, "tags": {"a": "b"}}, None, REST),
        ("apigateway", "TagResource", {"resourceArn": REST.replace(":", "%3A").replace("/", "%2F"), "tags": {}}, None, REST),
    ],
)  # fmt: skip
def test_events_as_they_are_published(
    source: str, name: str, request_: dict[str, Any], answer: dict[str, Any] | None, uid: str
) -> None:
    record = event(name, source, requestParameters=request_, responseElements=answer)
    reader = ChangeReader(Redactor(b"k" * 32), "log", NoNames())
    assert [change.uid for change in reader.changes(record)] == [uid]
