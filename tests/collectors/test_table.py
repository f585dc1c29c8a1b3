"""The rows, all in one loop: every operation, parameter, path and code is AWS's own, every part has an answer."""

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import pytest

from driftline.collectors.aws import row_check
from driftline.collectors.aws.events.names import fits
from driftline.collectors.aws.permissions import actions_of
from driftline.collectors.aws.row import Complete, Detail, Kind, kinds
from driftline.collectors.aws.shapes import generate, service_model
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.model import Snapshot, Unread
from tests.collectors.answers import Replayed, failures, read_all, recorded

ROOT = Path(__file__).parents[2]
TYPES = sorted(kinds())
ARN = re.compile(r"^arn:aws:[a-z0-9-]+:([a-z]{2}-[a-z]+-\d)?:(\d{12})?:\S+$")


def calls(kind: Kind) -> list[tuple[str, str, dict[str, str]]]:
    """Service, operation and parameters of every call of a row."""
    own = kind.service
    out = [(kind.listing.service or own, kind.listing.operation, kind.listing.params)]
    if under := kind.listing.under:
        out.append((under.service or own, under.operation, under.params))
    details: list[Detail | Complete] = [*kind.details, *kind.complete]
    for detail in details:
        service = detail.service or own
        out.append(
            (service, detail.operation, kind.params if detail.params is None else detail.params)
        )
        each = getattr(detail, "each", None)
        if each:
            out.append((each.service or service, each.operation, each.params))
    if kind.tags and kind.tags.operation:
        out.append(
            (
                own,
                kind.tags.operation,
                kind.params if kind.tags.params is None else kind.tags.params,
            )
        )
    return out


generated = cache(generate)


@cache
def iams_own() -> dict[str, Any]:
    """IAM's actions, by service."""
    found: dict[str, Any] = json.loads((files("cfnlint.data.AdditionalSpecs") / "Policies.json").read_text())  # fmt: skip
    return found


@cache
def snapshots(type_: str) -> list[Snapshot]:
    found = read_all(Replayed(recorded(type_)), kinds()[type_])
    assert all(isinstance(one, Snapshot) for one in found)
    return [one for one in found if isinstance(one, Snapshot)]


@pytest.mark.parametrize("type_", TYPES)
def test_calls_are_awss_own(type_: str) -> None:
    for service, operation, params in calls(kinds()[type_]):
        shape = service_model(service).operation_model(operation).input_shape
        members, required = (
            (set(shape.members), set(shape.required_members)) if shape else (set(), set())
        )
        assert set(params) <= members, operation
        assert required <= set(params), operation


@pytest.mark.parametrize("type_", TYPES)
def test_calls_only_read(type_: str) -> None:
    for _, operation, _params in calls(kinds()[type_]):
        assert operation.startswith(("List", "Get", "Describe", "BatchGet")), operation


@pytest.mark.parametrize("type_", TYPES)
def test_paths_exist_in_the_answers(type_: str) -> None:
    kind = kinds()[type_]
    for part, shape in generated()[type_]["parts"].items():
        decoded = any(
            d.part == part and (d.decode or d.decode_at or d.each or d.joined) for d in kind.details
        )
        assert shape != "any" or decoded, f"{part}: its path is none of the answer's"


@pytest.mark.parametrize("type_", TYPES)
def test_every_path_names_what_is_answered(type_: str) -> None:
    assert list(row_check.told(kinds()[type_])) == []


def misspelt(kind: Kind) -> Iterator[tuple[str, Kind]]:
    """The row once for each of its paths, with the path's last name misspelt."""

    def walk(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
        if isinstance(value, dict | list):
            steps = value.items() if isinstance(value, dict) else enumerate(value)
            for step, held in steps:
                yield from walk(held, (*place, step))
        elif isinstance(value, str) and (
            place[-1] in PLACES
            or (len(place) > 1 and place[-2] in ("params", "drop", "quiet", "ordered", "redact"))
        ):
            yield place

    row = kind.model_dump(by_alias=True, exclude_unset=True)
    for place in walk(row, ()):
        if place[0] in ("events", "named") or place[:2] == ("one", "params"):
            continue  # what an event tells is no answer's: tests/collectors/events hold it
        changed = json.loads(json.dumps(row))
        held = changed
        for step in place[:-1]:
            held = held[step]
        names = list(NAME.finditer(held[place[-1]]))
        if names and (kind.type, ".".join(map(str, place[:-1]))) not in OPEN:
            at = names[-1].end()
            held[place[-1]] = f"{held[place[-1]][:at]}Zz{held[place[-1]][at:]}"
            yield ".".join(map(str, place)), Kind.model_validate(changed)


PLACES = (
    "items",
    "value",
    "unless",
    "given",
    "name",
    "incarnation",
    "region",
    "skip",
    "item",
    "only",
    "uid",
)
OPEN = {
    ("AWS::SNS::Topic", "details.0.drop"), ("AWS::SNS::Topic", "one"), ("AWS::WAFv2::WebACL", "redact"), ("AWS::WAFv2::WebACL", "details.0.drop"),
    ("AWS::WAFv2::CloudFrontWebACL", "redact"), ("AWS::WAFv2::CloudFrontWebACL", "details.0.drop"),
}  # fmt: skip
"""Names in a map, and below where a shape meets itself: any may be there."""
NAME = re.compile(r"(?:^|(?<=[.{\[])|(?<=: ))[A-Za-z]\w*(?![\w:('])")


@pytest.mark.parametrize("type_", TYPES)
def test_a_misspelt_path_is_told_with_its_place(type_: str) -> None:
    for place, row in misspelt(kinds()[type_]):
        assert any(line.startswith(f"{type_} {place}: ") for line in row_check.told(row)), place


@pytest.mark.parametrize("type_", TYPES)
def test_codes_are_the_operations_own(type_: str) -> None:
    kind = kinds()[type_]
    if kind.service in ("s3", "s3control", "ec2"):
        pytest.skip("these services do not model their errors")
    for detail in kind.details:
        errors = (
            service_model(detail.service or kind.service)
            .operation_model(detail.operation)
            .error_shapes
        )
        known = {error.metadata.get("error", {}).get("code", error.name) for error in errors} | {
            e.name for e in errors
        }
        assert set(detail.absent) <= known, detail.operation


@pytest.mark.parametrize("type_", TYPES)
def test_actions_are_iams_own(type_: str) -> None:
    known = iams_own()
    for action in actions_of(kinds()[type_]):
        service, _, name = action.partition(":")
        assert name.lower() in known[service]["Actions"], (
            f"{action} is no IAM action (write `action:` in the row)"
        )


@pytest.mark.parametrize("type_", TYPES)
def test_every_part_has_a_recorded_answer(type_: str) -> None:
    found = snapshots(type_)
    assert found
    for snapshot in found:
        assert ARN.match(snapshot.uid), snapshot.uid
        assert snapshot.unread == []
        assert (
            list(snapshot.config) == kinds()[type_].parts == [part.name for part in snapshot.parts]
        )
        assert snapshot.name
        assert "None" not in snapshot.uid
    for part in kinds()[type_].parts:
        assert any(one.config[part] is not None for one in found), f"{part}: only null is recorded"


@pytest.mark.parametrize("type_", TYPES)
def test_the_form_is_that_of_the_recorded_uids(type_: str) -> None:
    """AWS::MSK::Cluster: the simulated AWS leaves out the end of its ARN. A row whose every event is about its whole scope needs no form."""
    kind = kinds()[type_]
    if type_ != "AWS::MSK::Cluster" and not all(touch.reach for touch in kind.events):
        for snapshot in snapshots(type_):
            assert fits(kind, snapshot.uid), snapshot.uid


@pytest.mark.parametrize(
    "type_",
    [
        t
        for t in TYPES
        if kinds()[t].tags
        and t
        not in (
            "AWS::EC2::Volume",
            "AWS::EC2::VPC",
            "AWS::EC2::SecurityGroup",
            "AWS::RDS::DBInstance",
            "AWS::IAM::Policy",
        )
    ],
)
def test_tags_are_read(type_: str) -> None:
    assert any(one.tags for one in snapshots(type_))


def misfit(value: Any, shape: Any, where: str) -> list[str]:
    """Where a value differs from what rules are told about it."""
    if value is None or shape == "any":
        return []
    if isinstance(shape, str):
        wanted: Any = {
            "string": str,
            "timestamp": str,
            "int": int,
            "bool": bool,
            "double": (int, float),
        }[shape]
        redacted = isinstance(value, dict) and value.get("redacted") is True
        return (
            [] if redacted or isinstance(value, wanted) else [f"{where}: {value!r} is no {shape}"]
        )
    if "list" in shape:
        return [m for item in value for m in misfit(item, shape["list"], f"{where}[]")]
    if "map" in shape:
        return [
            m for key, item in value.items() for m in misfit(item, shape["map"], f"{where}.{key}")
        ]
    unknown = [f"{where}: {key} is not known" for key in value if key not in shape["fields"]]
    return unknown + [
        m
        for key, item in value.items()
        if key in shape["fields"]
        for m in misfit(item, shape["fields"][key], f"{where}.{key}")
    ]


@pytest.mark.parametrize("type_", TYPES)
def test_answers_have_the_shapes_that_rules_are_checked_with(type_: str) -> None:
    shapes = generated()[type_]["parts"]
    for snapshot in snapshots(type_):
        for part, value in snapshot.config.items():
            assert misfit(value, shapes[part], part) == []


def test_the_known_paths_are_the_generated_ones() -> None:
    text = (
        orjson.dumps(generated(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS).decode() + "\n"
    )
    assert (ROOT / "rules/types/aws.json").read_text() == text, "run: make docs"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("  service: s3", "  servise: s3"),
        ("  uid: ", "  uuid: "),
        (
            "{part: policy, operation: GetBucketPolicy, value: Policy,",
            "{part: policy, operation: GetBucketPolicy, value: 'Policy[',",
        ),
    ],
)
def test_a_mistake_in_a_row_is_told_with_its_line(tmp_path: Path, change: str, told: str) -> None:
    text = (ROOT / "collectors/aws/kinds/s3.yaml").read_text()
    assert change in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(change, told))
    with pytest.raises(UserError) as error:
        kinds(tmp_path)
    assert re.search(rf"{re.escape(str(path))}:\d+:\d+: ", error.value.problems[0]), (
        error.value.problems
    )


def test_a_type_that_stands_twice_is_refused(tmp_path: Path) -> None:
    text = (ROOT / "collectors/aws/kinds/s3.yaml").read_text()
    (tmp_path / "a.yaml").write_text(text)
    (tmp_path / "b.yaml").write_text(text)
    with pytest.raises(UserError, match="is defined twice"):
        kinds(tmp_path)


def test_a_shape_ends_where_it_meets_itself() -> None:
    rules = generated()["AWS::WAFv2::WebACL"]["parts"]["acl"]["fields"]["Rules"]["list"]["fields"]
    statement = rules["Statement"]["fields"]
    assert statement["NotStatement"] == {"fields": {"Statement": "any"}}
    assert statement["AndStatement"] == {"fields": {"Statements": {"list": "any"}}}
    assert statement["GeoMatchStatement"]["fields"]["CountryCodes"] == {"list": "string"}


def test_a_recording_says_what_failed() -> None:
    """A call that the simulated AWS cannot answer, and a part that nothing has, are told with what was answered."""
    kind = kinds()["AWS::SNS::Topic"]
    (first, *_) = found = read_all(Replayed(recorded(kind.type)), kind)
    assert isinstance(first, Snapshot)
    assert failures(kind, [], found) == []
    hidden = first.model_copy(update={"unread": [Unread(part="topic", reason="failed", code="500")]})  # fmt: skip
    call = {"call": "sns.GetTopicAttributes", "status": 500, "body": "<h1>no such\n thing</h1>"}
    assert failures(kind, [call], [hidden]) == [
        f"{first.uid}: topic is unread (failed: 500)",
        "sns.GetTopicAttributes answered 500: <h1>no such thing</h1>",
    ]
    (nothing,) = failures(kind, [], [])
    assert nothing.startswith("no resource was listed")
    empty = first.model_copy(update={"config": {kind.parts[0]: None}})
    assert any(line.startswith(f"{kind.parts[0]} has no value in any resource") for line in failures(kind, [], [empty]))  # fmt: skip
