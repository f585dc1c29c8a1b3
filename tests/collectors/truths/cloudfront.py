"""Distributions; each is told apart by its id."""

from typing import Any

from tests.collectors.edge_made import distribution
from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::CloudFront::Distribution"}
NEVER_FAILED = {
    # the simulated AWS does not tell that an origin is a bucket, nor by which control it is asked
    "cloudfront-distribution-s3-origin-access-controlled",
    "cloudfront-distribution-default-root-object",
}
NEVER_PASSED = NEVER_FAILED | {"cloudfront-distribution-function-origin-access-controlled"}
TLS, CERTIFICATE, OLD, LOGGED, WAF, ORIGINS, OLD_ORIGINS, FUNCTION = (
    f"cloudfront-distribution-{rule}"
    for rule in ("viewers-use-tls", "own-certificate", "modern-tls", "logged", "behind-waf", "origins-use-tls", "origins-modern-tls", "function-origin-access-controlled")
)  # fmt: skip
BARE = {TLS, CERTIFICATE, LOGGED, WAF}
ACM = f"arn:aws:acm:us-east-1:{MASTER}:certificate/x"
ACL = f"arn:aws:wafv2:us-east-1:{MASTER}:global/webacl/x/1"
REALTIME = f"arn:aws:cloudfront::{MASTER}:realtime-log-config/x"
LOGGING = {"Enabled": True, "IncludeCookies": False, "Bucket": "logs.s3.amazonaws.com", "Prefix": ""}  # fmt: skip


def behavior(policy: str, **more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = distribution("x")["DefaultCacheBehavior"]
    return plain | {"ViewerProtocolPolicy": policy} | more


def paths(*behaviors: dict[str, Any]) -> dict[str, Any]:
    return {"Quantity": len(behaviors), "Items": [one | {"PathPattern": f"/{i}/*"} for i, one in enumerate(behaviors)]}  # fmt: skip


def origins(
    *policies: str, versions: tuple[str, ...] = ("TLSv1.2",), host: str = "www.example.com"
) -> dict[str, Any]:
    items = [
        {"Id": "origin" if i == 0 else f"origin{i}", "DomainName": host,
         "CustomOriginConfig": {"HTTPPort": 80, "HTTPSPort": 443, "OriginProtocolPolicy": policy,
                                "OriginSslProtocols": {"Quantity": len(versions), "Items": list(versions)}}}
        for i, policy in enumerate(policies)
    ]  # fmt: skip
    return {"Quantity": len(items), "Items": items}


def own(version: str) -> dict[str, Any]:
    return {"CloudFrontDefaultCertificate": False, "ACMCertificateArn": ACM, "SSLSupportMethod": "sni-only", "MinimumProtocolVersion": version}  # fmt: skip


def build(moto: Moto) -> Truth:
    cloudfront, logs = moto.client("cloudfront"), moto.client("logs")
    truth: Truth = {}

    def make(name: str, breaks: set[str], **more: Any) -> str:
        answer = cloudfront.create_distribution(DistributionConfig=distribution(name, **more))
        truth[answer["Distribution"]["Id"]] = breaks
        return str(answer["Distribution"]["ARN"])

    strict, redirecting, lax = behavior("https-only"), behavior("redirect-to-https"), behavior("allow-all")  # fmt: skip
    make("bare", BARE)
    make("disabled", set(), Enabled=False, Origins=origins("http-only", versions=("SSLv3",)))
    good = {"DefaultCacheBehavior": redirecting, "CacheBehaviors": paths(strict, redirecting), "ViewerCertificate": own("TLSv1.2_2021"),
            "Logging": LOGGING, "WebACLId": ACL, "Origins": origins("https-only", "match-viewer")}  # fmt: skip
    make("good", set(), **good)
    make("good-tls-1.3", set(), **good | {"ViewerCertificate": own("TLSv1.3_2025")})
    make("one-path-without-tls", {TLS, ORIGINS}, **good | {"CacheBehaviors": paths(strict, lax)})
    make("old-tls", {OLD}, **good | {"ViewerCertificate": own("TLSv1.1_2016")})
    make("old-ciphers", {OLD}, **good | {"ViewerCertificate": own("TLSv1.2_2018")})
    make("shared-certificate", {CERTIFICATE}, **good | {"ViewerCertificate": {"CloudFrontDefaultCertificate": True, "MinimumProtocolVersion": "TLSv1"}})  # fmt: skip
    make("no-acl", {WAF}, **good | {"WebACLId": ""})
    make("origin-by-http", {ORIGINS}, **good | {"Origins": origins("https-only", "http-only")})
    make("old-origin", {OLD_ORIGINS}, **good | {"Origins": origins("https-only", versions=("TLSv1", "TLSv1.2"))})  # fmt: skip
    make("oldest-origin-by-http", {ORIGINS}, **good | {"Origins": origins("http-only", versions=("SSLv3",))})  # fmt: skip
    make("open-function", {FUNCTION}, **good | {"Origins": origins("https-only", host="0123456789.lambda-url.eu-west-1.on.aws")})  # fmt: skip
    quiet = good | {"Logging": LOGGING | {"Enabled": False}}
    make("unlogged", {LOGGED}, **quiet)
    make("realtime", set(), **quiet | {"DefaultCacheBehavior": behavior("https-only", RealtimeLogConfigArn=REALTIME), "CacheBehaviors": paths()})  # fmt: skip
    make("realtime-of-some", {LOGGED}, **quiet | {"DefaultCacheBehavior": behavior("https-only", RealtimeLogConfigArn=REALTIME)})  # fmt: skip
    source = {"logType": "ACCESS_LOGS"}
    logs.put_delivery_source(name="delivers", resourceArn=make("delivered", set(), **quiet), **source)  # fmt: skip
    logs.put_delivery_source(name="delivers-not", resourceArn=make("undelivered", {LOGGED}, **quiet), **source)  # fmt: skip
    there = logs.put_delivery_destination(name="kept", deliveryDestinationConfiguration={"destinationResourceArn": "arn:aws:s3:::logs"})  # fmt: skip
    logs.create_delivery(deliverySourceName="delivers", deliveryDestinationArn=there["deliveryDestination"]["arn"])  # fmt: skip
    return truth
