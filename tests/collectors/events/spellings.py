"""An id of every type, and every spelling of it that the type's row knows."""

import re

from driftline.collectors.aws.events.names import HOLES, form
from driftline.collectors.aws.row import Kind
from tests.collectors.events.samples import ACCOUNT

IDS = {
    "AWS::ElasticBeanstalk::Environment": "app/env-1",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "app/web/0123456789abcdef",
    "AWS::Batch::JobDefinition": "count:3",
    "AWS::MSK::Cluster": "logs/0123-4567-8",
    "AWS::WAFv2::WebACL": "edge/0123-4567", "AWS::WAFv2::CloudFrontWebACL": "edge/0123-4567",
    "AWS::Logs::LogGroup": "/aws/lambda/f", "AWS::ECR::Repository": "team/app", "AWS::SecretsManager::Secret": "team/db",
    "AWS::KMS::Key": "1234abcd-12ab-34cd-56ef-1234567890ab", "AWS::Events::EventBus": "orders",
    "AWS::RDS::DBSnapshot": "rds:db-2026-11-01-00-05", "AWS::CloudWatch::Alarm": "High CPU: web/1",
    "AWS::IAM::OIDCProvider": "token.actions.example.com/id",
}  # fmt: skip
HELD = {"path": "team/", "suffix": "-AbC12d", "uuid": "0123-4567"}
"""What only AWS knows of a uid."""
PLACE = {"account": ACCOUNT, "region": "eu-west-1", "partition": "aws", "rest": "prod"}


def own_id(kind: Kind) -> str:
    """An id as AWS keeps it."""
    prefix = re.match(r"[a-z-]+-(?=\[)", kind.named.pattern)
    return IDS.get(kind.type) or (f"{prefix[0]}0a1b2c3d" if prefix else "some-name")


def filled(template: str, kind: Kind, id: str, **more: str) -> str:
    """A form or a spelling with everything in its holes."""
    region = {"region": "us-east-1"} if kind.scope == "global" else {}
    holes = PLACE | HELD | region | {"id": id} | more
    assert set(holes) == {*HOLES, "id"}
    return re.sub(r"\{(\w+)\}", lambda hole: holes[hole[1]], template)


def own_uid(kind: Kind, id: str | None = None, **more: str) -> str:
    """The uid that AWS keeps."""
    return filled(form(kind), kind, id or own_id(kind), **more)


def spellings(kind: Kind) -> dict[str, str]:
    """Every way of spelling the same resource, by what it looks like."""
    id = own_id(kind)
    out = {one: filled(one, kind, id) for one in (form(kind), *kind.named.also, "{id}")}
    if kind.type == "AWS::SQS::Queue":
        del out["http{rest}/{account}/{id}"]
        for host in ("sqs.eu-west-1.amazonaws.com", "eu-west-1.queue.amazonaws.com", "queue.amazonaws.com", "localhost:4566"):  # fmt: skip
            out[host] = f"https://{host}/{ACCOUNT}/{id}"
    if kind.named.case != "kept":
        out["capitals"] = id.upper()
    return out
