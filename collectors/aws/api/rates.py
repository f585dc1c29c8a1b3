"""How many calls a second AWS takes of an account in a region, by service, where it says so. A few of its limits are of a
single action, or of each action by itself. What is not published starts at OTHERS; whoever is throttled slows down."""

from collections.abc import Mapping
from typing import NamedTuple


class Rate(NamedTuple):
    """A bucket of tokens."""

    per_second: float
    burst: float
    each: bool = False
    """Whether each action of the service has such a bucket of its own."""


OTHERS = Rate(50, 200)
"""Not published."""
RATES: Mapping[str, Rate] = {
    "apigateway": Rate(10, 40),  # all of API Gateway's management calls together
    "apigateway.GetResources": Rate(2.5, 5),
    "apigatewayv2": Rate(10, 40),
    "cloudtrail": Rate(10, 10),
    "cloudwatch.DescribeAlarms": Rate(9, 9),
    "ec2": Rate(20, 100, each=True),
    "ecs": Rate(20, 50, each=True),
    "elb": Rate(10, 40),  # each version of the API has its own bucket for what changes nothing
    "elbv2": Rate(10, 40),
    "firehose": Rate(5, 5, each=True),
    "iam": Rate(100, 300),  # not published; in one place for all regions
    "kinesis": Rate(5, 5, each=True),
    "kms": Rate(100, 100, each=True),
    "lambda": Rate(15, 15),  # all actions together, but those two
    "lambda.GetFunction": Rate(100, 100),
    "lambda.GetPolicy": Rate(15, 15),
    "logs": Rate(10, 10, each=True),
    "route53": Rate(5, 5),
    "s3": Rate(200, 400),  # not published for configurations; objects have thousands
    "secretsmanager.GetResourcePolicy": Rate(50, 50),
    "sns": Rate(30, 30, each=True),
    "stepfunctions": Rate(20, 100, each=True),
    "sts": Rate(100, 200),
    "wafv2": Rate(5, 5, each=True),
}
"""By the service as boto3 names it, or the service and an action; where a service has several limits, the least that our
calls meet. The rows of ec2, ecs, elb, elbv2, lambda and secretsmanager were compared with AWS's pages on throttling and
quotas (docs.aws.amazon.com, 2026-11); the others are what such pages are known to say, or less, and not compared."""


def rate(service: str, action: str) -> tuple[str, Rate]:
    """The bucket's name, and what it holds."""
    name = f"{service}.{action}"
    if name in RATES:
        return name, RATES[name]
    found = RATES.get(service, OTHERS)
    return (name if found.each else service), found
