"""How many calls a second AWS takes of an account in a region, by service, where it says so. A few of its limits are of a
single action, or of each action by itself. What is not published starts at OTHERS; whoever is throttled slows down."""

from collections.abc import Mapping
from typing import NamedTuple


class CallRate(NamedTuple):
    """A bucket of tokens."""

    per_second: float
    burst: float
    each: bool = False
    """Whether each action of the service has such a bucket of its own."""


OTHERS = CallRate(50, 200)
"""Not published."""
RATES: Mapping[str, CallRate] = {
    "apigateway": CallRate(10, 40),  # all of API Gateway's management calls together
    "apigateway.GetResources": CallRate(2.5, 5),
    "apigatewayv2": CallRate(10, 40),
    "cloudtrail": CallRate(10, 10),
    "cloudwatch.DescribeAlarms": CallRate(9, 9),
    "ec2": CallRate(20, 100, each=True),
    "ecs": CallRate(20, 50, each=True),
    "elb": CallRate(10, 40),  # each version of the API has its own bucket for what changes nothing
    "elbv2": CallRate(10, 40),
    "firehose": CallRate(5, 5, each=True),
    "iam": CallRate(100, 300),  # not published; in one place for all regions
    "kinesis": CallRate(5, 5, each=True),
    "kms": CallRate(100, 100, each=True),
    "lambda": CallRate(15, 15),  # all actions together, but those two
    "lambda.GetFunction": CallRate(100, 100),
    "lambda.GetPolicy": CallRate(15, 15),
    "logs": CallRate(10, 10, each=True),
    "route53": CallRate(5, 5),
    "s3": CallRate(200, 400),  # not published for configurations; objects have thousands
    "secretsmanager.GetResourcePolicy": CallRate(50, 50),
    "sns": CallRate(30, 30, each=True),
    "stepfunctions": CallRate(20, 100, each=True),
    "sts": CallRate(100, 200),
    "wafv2": CallRate(5, 5, each=True),
}
"""By the service as boto3 names it, or the service and an action; where a service has several limits, the least that our
calls meet. The rows of ec2, ecs, elb, elbv2, lambda and secretsmanager were compared with AWS's pages on throttling and
quotas (docs.aws.amazon.com, 2026-11); the others are what such pages are known to say, or less, and not compared."""


def rate(service: str, action: str) -> tuple[str, CallRate]:
    """The bucket's name, and what it holds."""
    name = f"{service}.{action}"
    if name in RATES:
        return name, RATES[name]
    found = RATES.get(service, OTHERS)
    return (name if found.each else service), found
