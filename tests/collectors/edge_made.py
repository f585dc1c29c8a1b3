"""How things at the edge are made in a simulated AWS, for the recording and for the truth."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

ACCOUNT = "123456789012"
TAGS = [{"Key": "env", "Value": "prod"}]


def to_own_host(request: Any, **_: Any) -> None:
    """S3's control plane has a host for each account at Amazon."""
    request.url = request.url.replace(f"//{ACCOUNT}.", "//")


def distribution(reference: str, **more: Any) -> dict[str, Any]:
    """The smallest configuration of a distribution."""
    origin = {
        "Id": "origin",
        "DomainName": "content.s3.eu-west-1.amazonaws.com",
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }
    return {
        "CallerReference": reference,
        "Comment": reference,
        "Enabled": True,
        "Origins": {"Quantity": 1, "Items": [origin]},
        "DefaultCacheBehavior": {
            "TargetOriginId": "origin",
            "ViewerProtocolPolicy": "allow-all",
            "MinTTL": 0,
            "ForwardedValues": {"QueryString": False, "Cookies": {"Forward": "none"}},
        },
    } | more


def web_acl(waf: Any, name: str, scope: str, *, rules: bool = False, **more: Any) -> str:
    """A web ACL, with one rule or none; its ARN."""
    seen = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": name}
    search = {
        "SearchString": b"only-cloudfront-knows", "FieldToMatch": {"SingleHeader": {"Name": "x-from"}}, "PositionalConstraint": "EXACTLY",
        "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
    }  # fmt: skip
    rule = {"Name": "one", "Priority": 0, "Statement": {"ByteMatchStatement": search}, "Action": {"Allow": {}},
            "VisibilityConfig": seen}  # fmt: skip
    asked = {"Name": name, "Scope": scope, "DefaultAction": {"Allow": {}}, "VisibilityConfig": seen} | more  # fmt: skip
    made = waf.create_web_acl(**asked, Rules=[rule] if rules else [])
    return str(made["Summary"]["ARN"])


def certificate(name: str, days: float = 365, bits: int = 2048) -> tuple[bytes, bytes]:
    """A certificate that signs itself, and its key: of RSA, or of an elliptic curve for no bits."""
    key: Any = rsa.generate_private_key(65537, bits) if bits else ec.generate_private_key(ec.SECP256R1())  # fmt: skip
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    secret = key.private_bytes(
        encoding, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return built.public_bytes(encoding), secret


def escaped(policy: dict[str, Any]) -> str:
    """A policy as API Gateway answers it; the simulated one repeats what it was given."""
    return json.dumps(json.dumps(policy))[1:-1]


def methods(gateway: Any, api: str, **verbs: dict[str, Any]) -> str:
    """Methods of a REST API's root, deployed; without any a guarded GET. The deployment's id."""
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    for verb, more in (verbs or {"GET": {"authorizationType": "AWS_IAM"}}).items():
        where = {"restApiId": api, "resourceId": root, "httpMethod": verb}
        gateway.put_method(**where, **more)
        gateway.put_integration(**where, type="HTTP", uri="https://example.com", integrationHttpMethod="GET")  # fmt: skip
    return str(gateway.create_deployment(restApiId=api)["id"])
