"""Load balancers of both generations."""

from typing import Any

from tests.collectors.furnished.compute import certificate, subnets_of, web_acl
from tests.collectors.moto import Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::ElasticLoadBalancing::LoadBalancer"}
NEVER_FAILED = {"elb-classic-balancer-desync-mitigated"}
"""The simulated AWS keeps no mode for classic ones."""
NEVER_PASSED: set[str] = set()
V2, CLASSIC, REGION = "elb-load-balancer", "elb-classic-balancer", "eu-west-1"
GOOD = {
    "deletion_protection.enabled": "true", "access_logs.s3.enabled": "true", "access_logs.s3.bucket": "logs",
    "routing.http.drop_invalid_header_fields.enabled": "true",
}  # fmt: skip
HTTPS = {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}
REDIRECT = {"Type": "redirect", "RedirectConfig": HTTPS}
STAY = {"Type": "redirect", "RedirectConfig": HTTPS | {"Protocol": "#{protocol}"}}
CLOSED = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}
MODERN, OLD = "ELBSecurityPolicy-TLS13-1-2-2021-06", "ELBSecurityPolicy-2016-08"


def build(moto: Moto) -> Truth:
    return applications(moto) | networks(moto) | classics(moto)


def applications(moto: Moto) -> Truth:
    elb, subnets = moto.client("elbv2", REGION), subnets_of(moto, REGION)
    group = elb.create_target_group(Name="tg", TargetType="lambda")["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    forward = {"Type": "forward", "TargetGroupArn": group}
    waf = moto.client("wafv2", REGION)
    acl = web_acl(waf)
    secure = ("HTTPS", 443, MODERN, forward, None)
    plain = ("HTTP", 80, None, REDIRECT, None)
    redirected, modern = f"{V2}-http-redirected", f"{V2}-tls-policy-modern"
    rows: dict[str, tuple[dict[str, str], list[Any], set[str]]] = {
        "a-good": ({}, [secure, plain], set()),
        "a-silent": ({}, [], set()),
        "a-refuses": ({}, [secure, ("HTTP", 80, None, CLOSED, None)], set()),
        "a-forwards": ({}, [secure, ("HTTP", 80, None, forward, None)], {redirected}),
        "a-stays": ({}, [("HTTP", 80, None, STAY, None)], {redirected}),
        "a-rule-forwards": ({}, [("HTTP", 80, None, REDIRECT, forward)], {redirected}),
        "a-rule-redirects": ({}, [("HTTP", 80, None, REDIRECT, REDIRECT)], set()),
        "a-old-tls": ({}, [("HTTPS", 443, OLD, forward, None), plain], {modern}),
        "a-one-old": ({}, [secure, ("HTTPS", 8443, "ELBSecurityPolicy-TLS13-1-1-2021-06", forward, None)], {modern}),
        "a-unlogged": ({"access_logs.s3.enabled": "false"}, [], {f"{V2}-access-logs-enabled"}),
        "a-loose": ({"deletion_protection.enabled": "false"}, [], {f"{V2}-deletion-protected"}),
        "a-headers": ({"routing.http.drop_invalid_header_fields.enabled": "false"}, [], {f"{V2}-invalid-headers-dropped"}),
        "a-monitors": ({"routing.http.desync_mitigation_mode": "monitor"}, [], {f"{V2}-desync-mitigated"}),
        "a-strict": ({"routing.http.desync_mitigation_mode": "strictest"}, [], set()),
    }  # fmt: skip
    truth: Truth = {}
    for name, (attributes, listeners, breaks) in rows.items():
        arn = elb.create_load_balancer(Name=name, Subnets=subnets, Scheme="internet-facing")["LoadBalancers"][0]["LoadBalancerArn"]  # fmt: skip
        _set(elb, arn, GOOD | attributes)
        for protocol, port, policy, action, more in listeners:
            extra = {
                "SslPolicy": policy,
                "Certificates": [{"CertificateArn": certificate(moto, REGION)}],
            }
            made = elb.create_listener(LoadBalancerArn=arn, Protocol=protocol, Port=port, DefaultActions=[action], **(extra if policy else {}))  # fmt: skip
            if more:
                elb.create_rule(
                    ListenerArn=made["Listeners"][0]["ListenerArn"], Priority=1, Actions=[more],
                    Conditions=[{"Field": "path-pattern", "Values": ["/x"]}],
                )  # fmt: skip
        waf.associate_web_acl(WebACLArn=acl, ResourceArn=arn)
        truth[name] = breaks
    for name, scheme, breaks in (
        ("a-bare", "internet-facing", {"access-logs-enabled", "deletion-protected", "invalid-headers-dropped", "web-acl-attached"}),
        ("a-inside", "internal", {"access-logs-enabled", "deletion-protected", "invalid-headers-dropped"}),
    ):  # fmt: skip
        elb.create_load_balancer(Name=name, Subnets=subnets, Scheme=scheme)
        truth[name] = {f"{V2}-{rule}" for rule in breaks}
    return truth


def networks(moto: Moto) -> Truth:
    elb, subnets = moto.client("elbv2", REGION), subnets_of(moto, REGION)
    vpc = moto.client("ec2", REGION).describe_vpcs()["Vpcs"][0]["VpcId"]
    group = elb.create_target_group(Name="tcp", Protocol="TCP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    forward, truth = {"Type": "forward", "TargetGroupArn": group}, Truth()
    for name, zones, protocol, policy, protected, breaks in (
        ("n-good", 2, "TLS", MODERN, "true", set()),
        ("n-passes-on", 2, "TCP", None, "true", set()),
        ("n-old-tls", 2, "TLS", OLD, "true", {f"{V2}-tls-policy-modern"}),
        ("n-one-zone", 1, "TCP", None, "true", {f"{V2}-several-zones"}),
        ("n-loose", 2, "TCP", None, "false", {f"{V2}-deletion-protected"}),
    ):
        made = elb.create_load_balancer(Name=name, Subnets=subnets[:zones], Type="network", Scheme="internet-facing")  # fmt: skip
        arn = made["LoadBalancers"][0]["LoadBalancerArn"]
        _set(elb, arn, {"deletion_protection.enabled": protected})
        extra = {
            "SslPolicy": policy,
            "Certificates": [{"CertificateArn": certificate(moto, REGION)}],
        }
        elb.create_listener(LoadBalancerArn=arn, Protocol=protocol, Port=443, DefaultActions=[forward], **(extra if policy else {}))  # fmt: skip
        truth[name] = set(breaks)
    return truth


def _set(elb: Any, arn: str, attributes: dict[str, str]) -> None:
    elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=[{"Key": k, "Value": v} for k, v in attributes.items()])  # fmt: skip


def classics(moto: Moto) -> Truth:
    elb, arn = moto.client("elb", REGION), certificate(moto, REGION)
    path = moto.client("iam").upload_server_certificate(ServerCertificateName="web", CertificateBody="x", PrivateKey="x")["ServerCertificateMetadata"]["Arn"]  # fmt: skip
    https = {"Protocol": "https", "LoadBalancerPort": 443, "InstancePort": 80, "SSLCertificateId": arn}  # fmt: skip
    tcp = {"Protocol": "tcp", "LoadBalancerPort": 8443, "InstancePort": 80}
    http = {"Protocol": "http", "LoadBalancerPort": 80, "InstancePort": 80}
    modern, both = {"Protocol-TLSv1.2": "true", "Protocol-TLSv1": "false"}, ["a", "b"]
    old = {"Protocol-TLSv1.2": "true", "Protocol-TLSv1": "true"}
    plain, tls = f"{CLASSIC}-no-plain-http", f"{CLASSIC}-tls-policy-modern"
    rows: dict[str, tuple[list[Any], dict[str, str] | None, list[str], dict[str, Any], set[str]]] = {
        "c-good": ([https, tcp], modern, both, {}, set()),
        "c-tcp": ([tcp], None, both, {}, set()),
        "c-plain": ([https, http], modern, both, {}, {plain}),
        "c-old": ([https], old, both, {}, {tls}),
        "c-default-tls": ([https], None, both, {}, {tls}),
        "c-uploaded": ([https | {"SSLCertificateId": path}], modern, both, {}, {f"{CLASSIC}-certificate-managed"}),
        "c-one-zone": ([tcp], None, ["a"], {}, {f"{CLASSIC}-several-zones"}),
        "c-unlogged": ([tcp], None, both, {"AccessLog": {"Enabled": False}}, {f"{CLASSIC}-access-logs-enabled"}),
        "c-alone": ([tcp], None, both, {"CrossZoneLoadBalancing": {"Enabled": False}}, {f"{CLASSIC}-cross-zone"}),
    }  # fmt: skip
    truth: Truth = {}
    for name, (listeners, policy, zones, attributes, breaks) in rows.items():
        elb.create_load_balancer(LoadBalancerName=name, Listeners=listeners, AvailabilityZones=[f"{REGION}{z}" for z in zones])  # fmt: skip
        if policy:
            pairs = [{"AttributeName": k, "AttributeValue": v} for k, v in policy.items()]
            elb.create_load_balancer_policy(LoadBalancerName=name, PolicyName="tls", PolicyTypeName="SSLNegotiationPolicyType", PolicyAttributes=pairs)  # fmt: skip
            elb.set_load_balancer_policies_of_listener(LoadBalancerName=name, LoadBalancerPort=443, PolicyNames=["tls"])  # fmt: skip
        good = {"AccessLog": {"Enabled": True, "S3BucketName": "logs"}, "CrossZoneLoadBalancing": {"Enabled": True}}  # fmt: skip
        elb.modify_load_balancer_attributes(LoadBalancerName=name, LoadBalancerAttributes=good | attributes)  # fmt: skip
        truth[name] = breaks
    return truth
