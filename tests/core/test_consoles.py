"""Links into consoles and commands with a resource's own names, for every type; whatever the names, nothing gets out of its place."""

import shlex
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.pipeline.assess.wording.consoles import (
    HOLE,
    PLACEHOLDER,
    console_url,
    filled,
    names,
    rows,
)
from driftline.pipeline.providers.aws.names import DOMAINS
from driftline.pipeline.rulebook import Rule, load
from driftline.pipeline.rulebook.shapes import builtin_shapes
from tests.core.test_finding_sentences import GRANTS
from tests.core.world import TYPE

TYPES = sorted(builtin_shapes())
RULES = load().rules
HOSTILE = ["x'; rm -rf x", "$(id)", "`id`", 'a" b', "a b", "-rf", "a\nb", "a\u202eb", "a&region=x#y", "../../x", "é", "${IFS}", "NAME"]  # fmt: skip


def resource(type: str, partition: str = "aws", name: str = "the-name") -> dict[str, Any]:
    return {
        "uid": f"arn:{partition}:x:eu-west-1:111111111111:kind/one/two/{name}", "type": type, "provider": "aws",
        "account": "111111111111", "region": "eu-west-1", "name": name, "tags": {},
    }  # fmt: skip


def test_every_type_has_a_row_and_no_row_is_of_no_type() -> None:
    assert sorted(rows()) == TYPES


@pytest.mark.parametrize("type", TYPES)
def test_every_type_has_a_page(type: str) -> None:
    row = rows()[type]
    known = names(resource(type)) | {"dollars": ""}
    assert set(HOLE.findall(row.console)) <= known.keys()
    assert set(row.fill.values()) <= known.keys()
    for partition, domain in DOMAINS.items():
        url = console_url(row, resource(type, partition))
        assert url is not None
        assert urlsplit(url).netloc == domain
        assert "{" not in url
        assert " " not in url
    assert console_url(row, resource(type, "aws-iso")) is None


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("type", TYPES)
def test_a_name_stays_in_its_place(type: str, name: str) -> None:
    row = rows()[type]
    plain, url = console_url(row, resource(type)), console_url(row, resource(type, name=name))
    assert plain is not None
    if "{path}" in row.console and ".." in name:
        assert url is None
        return
    assert url is not None
    assert url.isascii()
    assert url.isprintable()
    for char in "#?&='\"`":
        assert url.count(char) == plain.count(char), url


@pytest.mark.parametrize(
    ("type", "uid", "name", "url"),
    [
        ("AWS::EC2::SecurityGroup", "arn:aws:ec2:eu-west-1:1:security-group/sg-1", "web",
         "https://console.aws.amazon.com/ec2/home?region=eu-west-1#SecurityGroup:groupId=sg-1"),
        ("AWS::S3::Bucket", "arn:aws-cn:s3:::logs", "logs", "https://console.amazonaws.cn/s3/buckets/logs?region=eu-west-1"),
        ("AWS::IAM::User", "arn:aws:iam::1:user/team/ann", "ann", "https://console.aws.amazon.com/iam/home#/users/details/ann"),
        ("AWS::ECS::Service", "arn:aws:ecs:eu-west-1:1:service/blue/web", "arn:aws:ecs:eu-west-1:1:service/blue/web",
         "https://console.aws.amazon.com/ecs/v2/clusters/blue/services/web?region=eu-west-1"),
        ("AWS::Logs::LogGroup", "arn:aws:logs:eu-west-1:1:log-group:/aws/lambda/f", "/aws/lambda/f",
         "https://console.aws.amazon.com/cloudwatch/home?region=eu-west-1#logsV2:log-groups/log-group/$252Faws$252Flambda$252Ff"),
        ("AWS::ECR::Repository", "arn:aws:ecr:eu-west-1:1:repository/team/app", "team/app",
         "https://console.aws.amazon.com/ecr/repositories/private/111111111111/team/app?region=eu-west-1"),
        ("AWS::SQS::Queue", "arn:aws:sqs:eu-west-1:1:jobs", "https://sqs.eu-west-1.amazonaws.com/1/jobs",
         "https://console.aws.amazon.com/sqs/v3/home?region=eu-west-1#/queues/https%3A%2F%2Fsqs.eu-west-1.amazonaws.com%2F1%2Fjobs"),
    ],
)  # fmt: skip
def test_pages(type: str, uid: str, name: str, url: str) -> None:
    assert console_url(rows()[type], resource(type) | {"uid": uid, "name": name}) == url


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("aws x --group-id GROUP --port 22", "sg-1", "aws x --group-id sg-1 --port 22"),
        ("aws x --group-id GROUP", "a b", "aws x --group-id 'a b'"),
        ("aws x --group-id GROUP", "x'; rm -rf /", "aws x --group-id 'x'\"'\"'; rm -rf /'"),
        ("aws x --arn arn:x/GROUP", "sg-1", "aws x --arn arn:x/sg-1"),
        ("aws x --arn arn:x/GROUP", "a b", "aws x --arn arn:x/GROUP"),
        ('aws x \'{"a": "GROUP"}\'', "a b", 'aws x \'{"a": "GROUP"}\''),
        ("aws x 'y GROUP z'", "a b", "aws x 'y GROUP z'"),
        ("aws x --group-id GROUP", "-rf", "aws x --group-id GROUP"),
        ("aws x --group-id GROUP", "a\nb", "aws x --group-id GROUP"),
        ("aws x --group-id GROUP", None, "aws x --group-id GROUP"),
        ("aws x --group-id GROUP", ["one"], "aws x --group-id one"),
        ("aws x --group-id GROUP", ["one", "two"], "aws x --group-id GROUP"),
        ("aws x WEB-GROUP GROUPS GROUP_ID", "sg-1", "aws x WEB-GROUP GROUPS GROUP_ID"),
        ("aws x GROUP GROUP", "GROUP", "aws x GROUP GROUP"),
    ],
)
def test_commands(text: str, value: object, expected: str) -> None:
    assert filled({"cli": text}, {"GROUP": "name"}, {"name": value})["cli"] == expected


@given(st.text() | st.sampled_from(HOSTILE))
def test_a_filled_word_is_one_word_to_a_shell(name: str) -> None:
    text = filled({"cli": "aws x --name NAME --other y"}, {"NAME": "name"}, {"name": name})["cli"]
    words = shlex.split(text)
    assert words == ["aws", "x", "--name", words[3], "--other", "y"]
    assert words[3] in (name, "NAME")
    inside = filled({"cli": "aws x '{\"a\":\"NAME\"}'", "terraform": 'a = "NAME"'}, {"NAME": "name"}, {"name": name})  # fmt: skip
    assert len(shlex.split(inside["cli"])) == 3
    assert inside["terraform"].count('"') == 2


@pytest.mark.parametrize("rule", RULES, ids=[rule.id for rule in RULES])
def test_every_placeholder_is_filled_or_the_readers_choice(rule: Rule) -> None:
    """`words` of pipeline/providers/aws/consoles.yaml are AWS's own, in capitals."""
    row, remediation = rows()[rule.type], rule.file.remediation
    for text in (remediation.cli, remediation.terraform):
        words = set(PLACEHOLDER.findall(text))
        assert words <= row.fill.keys() | rule.file.fill.keys() | row.other


def test_the_grants_of_tests_are_a_types() -> None:
    assert set(GRANTS[TYPE]) <= set(builtin_shapes()[TYPE]["parts"])
