"""Certificates: of every age and kind of key, used and not."""

from tests.collectors.edge_made import certificate
from tests.collectors.moto import Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::CertificateManager::Certificate"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()


def build(moto: Moto) -> Truth:
    acm, elb = moto.client("acm", "eu-west-1"), moto.client("elb", "eu-west-1")
    ending, weak = "acm-certificate-not-expiring", "acm-certificate-key-strong"
    truth: Truth = {}
    for name, days, bits, used, breaks in (
        ("good", 365, 2048, True, set()),
        ("curve", 365, 0, True, set()),
        ("a-day-more", 31.5, 2048, True, set()),
        ("thirty-days", 29.9, 2048, True, {ending}),
        ("tomorrow", 1.5, 2048, True, {ending}),
        ("tomorrow-unused", 1.5, 2048, False, set()),
        ("short-key", 365, 1024, False, {weak}),
        ("short-key-ending", 10, 1024, True, {weak, ending}),
    ):  # fmt: skip
        body, key = certificate(f"{name}.example", days, bits)
        arn = acm.import_certificate(Certificate=body, PrivateKey=key)["CertificateArn"]
        if used:
            listener = {"Protocol": "HTTPS", "LoadBalancerPort": 443, "InstancePort": 80, "SSLCertificateId": arn}  # fmt: skip
            elb.create_load_balancer(LoadBalancerName=name, Listeners=[listener], AvailabilityZones=["eu-west-1a"])  # fmt: skip
        truth[f"{name}.example"] = breaks
    acm.request_certificate(DomainName="waits.example", ValidationMethod="DNS")
    return truth | {"waits.example": set()}
