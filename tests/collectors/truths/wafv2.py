"""Web ACLs, of regions and of CloudFront."""

from tests.collectors.edge_made import web_acl
from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::WAFv2::WebACL", "AWS::WAFv2::CloudFrontWebACL"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()


def build(moto: Moto) -> Truth:
    truth: Truth = {}
    for region, scope, kind in (
        ("eu-west-1", "REGIONAL", "web-acl"),
        ("us-east-1", "CLOUDFRONT", "cloudfront-web-acl"),
    ):
        waf = moto.client("wafv2", region)
        empty, unlogged = f"wafv2-{kind}-not-empty", f"wafv2-{kind}-logged"
        good = web_acl(waf, f"{kind}-good", scope, rules=True)
        blocking = web_acl(waf, f"{kind}-blocks-all", scope, DefaultAction={"Block": {}})
        for arn in (good, blocking):
            groups = [f"arn:aws:logs:{region}:{MASTER}:log-group:aws-waf-logs-x"]
            waf.put_logging_configuration(LoggingConfiguration={"ResourceArn": arn, "LogDestinationConfigs": groups})  # fmt: skip
        web_acl(waf, f"{kind}-empty", scope)
        web_acl(waf, f"{kind}-unlogged", scope, rules=True)
        truth |= {f"{kind}-good": set(), f"{kind}-blocks-all": set()}
        truth |= {f"{kind}-empty": {empty, unlogged}, f"{kind}-unlogged": {unlogged}}
    return truth
