"""Every row's word on events, held against botocore's models; and what no row claims, with a reason for each."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import jmespath  # type: ignore[import-untyped]
import pytest
import yaml

from driftline.collectors.aws.calls import NO_CALLS
from driftline.collectors.aws.events.claims import SOURCES, bare, claims
from driftline.collectors.aws.events.names import fits, form
from driftline.collectors.aws.proposal.row import READS
from driftline.collectors.aws.reread.resource import taken_apart
from driftline.collectors.aws.row import Kind, kinds
from driftline.pipeline.rulebook.shapes import builtin_shapes
from tests.collectors.events.spellings import own_uid

SPELLED = {
    ("s3", "PutBucketPublicAccessBlock"), ("s3", "DeleteBucketPublicAccessBlock"), ("s3", "PutAccountPublicAccessBlock"),
    ("s3", "DeleteAccountPublicAccessBlock"),
}  # fmt: skip
"""Events that are no operation's name."""
SAME = {name: service for service, name in SOURCES.items() if service not in ("docdb", "neptune", "elbv2", "apigatewayv2", "s3control")}  # fmt: skip
MORE = {"elasticloadbalancing": ["elb", "elbv2"], "apigateway": ["apigateway", "apigatewayv2"], "s3": ["s3", "s3control"],
        "es": ["opensearch", "es"], "monitoring": ["cloudwatch"]}  # fmt: skip
UNCLAIMED = Path(__file__).with_name("unclaimed.yaml")
SESSION = botocore.session.get_session()


@cache
def model(service: str) -> Any:
    return SESSION.get_service_model(service)


def services(source: str) -> list[str]:
    """botocore's services behind an event source."""
    return MORE.get(source, [SAME.get(source, source)])


def operations(source: str) -> set[str]:
    return {bare(name) for service in services(source) for name in model(service).operation_names}


ROWS = [pytest.param(kind, id=kind.type) for kind in kinds().values()]


@pytest.mark.parametrize("kind", ROWS)
def test_a_rows_events(kind: Kind) -> None:
    assert kind.events, "no event touches it?"
    for touch in kind.events:
        source = touch.source or SOURCES.get(kind.service, kind.service)
        names = {name for _, name in touch.names()}
        assert names
        unknown = names - operations(source) - NO_CALLS.get(source, set())
        unknown = {name for name in unknown if (source, name) not in SPELLED}
        assert not unknown, f"no operations of {source}: {sorted(unknown)}"
        assert set(touch.parts) <= {*kind.parts, "tags"}
        assert not (touch.parts and (touch.create or touch.delete)), "what comes or goes does so whole"  # fmt: skip
        if touch.id is None and touch.reach is None:
            assert "{item." not in kind.uid, "an id is needed"
        if touch.id is not None:
            for path in touch.paths:
                jmespath.compile(path)
                assert re.search(r"requestParameters|responseElements|resources\[", path)


@pytest.mark.parametrize("kind", ROWS)
def test_a_rows_uid_is_made_and_taken_apart(kind: Kind) -> None:
    template = form(kind)
    if template == "{id}":
        assert all(touch.reach for touch in kind.events)
        return
    uid = own_uid(kind)
    assert re.fullmatch(r"arn:aws:[a-z0-9-]+:[a-z0-9-]*:(\d{12})?:.+", uid)
    assert fits(kind, uid)
    assert taken_apart(kind.uid, uid) is not None


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, id=kind.type) for kind in kinds().values() if kind.one]
)
def test_a_row_that_reads_one(kind: Kind) -> None:
    one = kind.one
    assert one is not None
    service = model(kind.listing.service or kind.service)
    operation = service.operation_model(one.operation or kind.listing.operation)
    assert set(one.params) <= set(operation.input_shape.members)
    assert set(operation.input_shape.required_members) <= set(one.params)


def shape_at(shape: Any, steps: list[str]) -> Any:
    """A shape at a path; None where there is none."""
    for step in steps:
        while isinstance(shape, dict) and "list" in shape:
            shape = shape["list"]
        if shape == "any":
            return "any"
        if not isinstance(shape, dict):
            return None
        shape = shape["map"] if "map" in shape else shape["fields"].get(step)
    return shape


@pytest.mark.parametrize("kind", ROWS)
def test_what_a_row_calls_quiet_or_ordered_is_there(kind: Kind) -> None:
    parts = builtin_shapes()[kind.type]["parts"]
    for path in kind.quiet:
        part, *steps = path.split(".")
        assert shape_at(parts[part], steps) is not None, path
    for path in kind.ordered:
        part, *steps = path.split(".")
        found = shape_at(parts[part], steps)
        assert isinstance(found, dict), path
        assert "list" in found, path


TAG_CALLS = re.compile(
    r"(Un)?[Tt]ag(Resource|User|Role|Policy|ServerCertificate|OpenIDConnectProvider|LogGroup|Queue|DeliveryStream)$"
    r"|(Add|Remove|Create|Delete|Change|Update|CreateOrUpdate|Put)(Bucket)?(Tags|Tagging)((To|From|For)[A-Z]\w+)?$"
)
"""Calls that change a resource's tags, and nothing else of it."""
OTHER_TAGS = {"PutImageTagMutability", "CreateDistributionWithTags"}
"""Calls about other tags, or that change more."""


@pytest.mark.parametrize("kind", ROWS)
def test_a_tag_call_changes_the_tags_alone(kind: Kind) -> None:
    """Else it would date what was so at the first reading, and stand for a change of what it did not touch."""
    for touch in kind.events:
        told = [name for _, name in touch.names()]
        of_tags = [name for name in told if TAG_CALLS.match(name)]
        assert {name for name in told if "Tag" in name} - {*of_tags} <= OTHER_TAGS
        if touch.reach is None:
            assert of_tags in ([], told), "the others change other parts"
            assert not of_tags or touch.parts == ["tags"]
            assert "tags" not in touch.parts or of_tags


@pytest.mark.parametrize("kind", ROWS)
def test_tags_that_stand_twice_are_one_drift(kind: Kind) -> None:
    """The item that has the tags keeps a copy in its part: what changes it is known as a change of tags."""
    row = builtin_shapes()[kind.type]
    shape = row["parts"].get(kind.listing.part) if kind.listing.keep else None
    copies = {"Tags", "tags", "TagList"} & set(shape["fields"]) if isinstance(shape, dict) and "fields" in shape else set()  # fmt: skip
    quiet = set(row.get("hints", {}).get("quiet", ()))
    assert {f"{kind.listing.part}.{name}" for name in copies} <= quiet


def test_no_other_type_claims_the_same_resource_of_an_event() -> None:
    """Two rows may claim an event, but never as the same uid, unless the id says which of them is meant."""
    for (source, name), found in claims().items():
        forms: dict[tuple[str, str], set[str]] = {}
        for claim in found:
            if claim.touch.reach is None and not claim.touch.seen:
                key = (form(claim.kind) + claim.kind.named.pattern, str(claim.touch.id))
                forms.setdefault(key, set()).add(claim.kind.type)
        twice = {key: types for key, types in forms.items() if len(types) > 1}
        assert not twice, (source, name)


def test_every_other_change_is_left_out_for_a_reason() -> None:
    """A mutating operation of a covered service is claimed by a row, or stands in unclaimed.yaml with its reason; what
    stands there is real, and claimed by none."""
    allowed: dict[str, dict[str, list[str]]] = yaml.safe_load(UNCLAIMED.read_text())
    claimed = {key for key, found in claims().items() if any(one.change != "use" for one in found)}
    sources = {SOURCES.get(kind.service, kind.service) for kind in kinds().values()}
    missing: dict[str, list[str]] = {}
    for source in sorted(sources):
        mutating = {name for name in operations(source) if not READS.match(name)}
        mine = {name for name in mutating if (source, name) in claimed}
        listed = {name for names in allowed.get(source, {}).values() for name in names}
        assert not listed & mine, f"{source}: claimed, and left out: {sorted(listed & mine)}"
        assert listed <= mutating, f"{source}: no such operation: {sorted(listed - mutating)}"
        if left := mutating - mine - listed:
            missing[source] = sorted(left)
    assert not missing
    assert not set(allowed) - sources
    assert all(len(reason.split()) > 2 for found in allowed.values() for reason in found)
