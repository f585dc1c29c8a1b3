"""Rows of what stands under something else, and rows whose list only names: what went meanwhile, what is denied."""

from typing import Any

import orjson
import pytest
from botocore.exceptions import ClientError

from driftline.collectors.aws.row import kinds
from driftline.collectors.base import Vanished
from driftline.pipeline.model import Snapshot
from tests.collectors.answers import Replayed, read_all, recorded
from tests.collectors.test_read import broken, failing

SERVICE, NODES = "AWS::ECS::Service", "AWS::EKS::Nodegroup"


def read(type_: str, calls: list[dict[str, Any]]) -> list[Snapshot | Vanished]:
    return read_all(Replayed(calls), kinds()[type_])


def test_every_parent_is_asked() -> None:
    account = Replayed(recorded(SERVICE))
    found = read_all(account, kinds()[SERVICE])
    assert account.asked.count("ecs.ListClusters") == 1
    assert account.asked.count("ecs.ListServices") == 2
    assert {one.uid.split(":")[-1] for one in found} == {"service/full/bare", "service/full/full"}
    for one in found:
        assert isinstance(one, Snapshot)
        assert one.related[0].uid == one.config["service"]["clusterArn"]


def test_a_parent_that_went_hides_no_other() -> None:
    calls = recorded(SERVICE)
    empty = next(c for c in calls if c["call"] == "ecs.ListServices" and '"serviceArns": []' in c["body"])  # fmt: skip
    gone = [failing(c, "ClusterNotFoundException", 400) if c is empty else c for c in calls]
    assert len(read(SERVICE, gone)) == 2


def test_a_parent_that_is_denied_is_told() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        broken(SERVICE, "ecs.ListServices", "AccessDeniedException", 400)


def test_what_a_completing_call_no_longer_knows_has_vanished() -> None:
    calls = [
        c | {"body": '{"services": [], "failures": []}'} if c["call"] == "ecs.DescribeServices" else c
        for c in recorded(SERVICE)
    ]  # fmt: skip
    found = read(SERVICE, calls)
    assert [type(one) for one in found] == [Vanished, Vanished]


def test_denied_it_is_unread_where_the_list_names_it() -> None:
    for one in broken(SERVICE, "ecs.DescribeServices", "AccessDeniedException", 400):
        assert isinstance(one, Snapshot)
        assert [(u.part, u.reason) for u in one.unread] == [("service", "denied")]
        assert "service" not in one.config


def test_denied_it_is_told_where_only_the_call_names_it() -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        broken(NODES, "eks.DescribeNodegroup", "AccessDeniedException")


def test_an_element_without_an_answer_is_null() -> None:
    found = read("AWS::Lambda::Function", recorded("AWS::Lambda::Function"))
    policies = {
        one.name: one.config["alias_policies"] for one in found if isinstance(one, Snapshot)
    }
    assert policies["bare"] == {"live": None}
    assert policies["full"]["live"]["Statement"][0]["Principal"] == "*"


def test_elements_are_asked_about_only_where_it_matters() -> None:
    type_ = "AWS::ElasticLoadBalancingV2::LoadBalancer"
    account = Replayed(recorded(type_))
    full = next(one for one in read_all(account, kinds()[type_]) if isinstance(one, Snapshot) and one.name == "full")  # fmt: skip
    assert account.asked.count("elastic-load-balancing-v2.DescribeRules") == 1
    assert {one["Protocol"]: "Rules" in one for one in full.config["listeners"]} == {
        "HTTP": True,
        "HTTPS": False,
    }


@pytest.mark.parametrize("type_", [
    "AWS::ECS::TaskDefinition", "AWS::CodeBuild::Project", "AWS::ElasticBeanstalk::Environment", "AWS::AutoScaling::LaunchConfiguration",
])  # fmt: skip
def test_what_a_program_is_given_stays_in_the_account(type_: str) -> None:
    answers, secrets = orjson.dumps(recorded(type_)), (b"hunter22", b"podW50ZXIyMkB")
    assert any(secret in answers for secret in secrets)
    for one in read(type_, recorded(type_)):
        assert isinstance(one, Snapshot)
        assert not any(secret in one.encode() for secret in secrets)
