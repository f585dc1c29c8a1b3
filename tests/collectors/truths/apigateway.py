"""REST, HTTP and WebSocket APIs, and their domain names."""

import json
from typing import Any

from tests.collectors.edge_made import escaped, methods, web_acl
from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import Truth, policy

TYPES = {"AWS::ApiGateway::RestApi", "AWS::ApiGateway::DomainName", "AWS::ApiGatewayV2::Api"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()
REGION = "eu-west-1"
FREE = "apigateway-rest-api-methods-authorized"
QUIET, OPEN, CACHE = (f"apigateway-rest-api-{rule}" for rule in ("execution-logged", "behind-waf", "cache-encrypted"))  # fmt: skip
UNLOGGED, ANYBODY, SILENT = (f"apigatewayv2-api-{rule}" for rule in ("access-logged", "routes-authorized", "execution-logged"))  # fmt: skip
LOG = {"DestinationArn": f"arn:aws:logs:{REGION}:{MASTER}:log-group:x", "Format": "$context.requestId"}  # fmt: skip
Change = tuple[str, str]
Verbs = dict[str, dict[str, Any]]
LOUD: Change = ("/*/*/logging/loglevel", "ERROR")
CACHED: Change = ("/*/*/caching/enabled", "true")
PLAIN: Change = ("/*/*/caching/dataEncrypted", "false")


def build(moto: Moto) -> Truth:
    return _rest(moto) | _domains(moto.client("apigateway", REGION)) | _others(moto)


def _rest(moto: Moto) -> Truth:
    gateway, waf = moto.client("apigateway", REGION), moto.client("wafv2", REGION)
    acl = web_acl(waf, "apis", "REGIONAL", rules=True)
    truth: Truth = {}

    def make(name: str, breaks: set[str], stages: dict[str, list[Change]], guarded: tuple[str, ...] = ("prod", "test"),
             cache: bool = False, kind: str = "REGIONAL", verbs: Verbs | None = None, rights: str = "") -> None:  # fmt: skip
        given = {"policy": rights} if rights else {}
        api = gateway.create_rest_api(name=name, endpointConfiguration={"types": [kind]}, **given)[
            "id"
        ]
        truth[name] = breaks
        deployment = methods(gateway, api, **(verbs or {})) if stages else ""
        for stage, changes in stages.items():
            where = {"restApiId": api, "stageName": stage}
            more = {"cacheClusterEnabled": True, "cacheClusterSize": "0.5"} if cache else {}
            gateway.create_stage(**where, deploymentId=deployment, **more)
            if stage in guarded:
                waf.associate_web_acl(WebACLArn=acl, ResourceArn=f"arn:aws:apigateway:{REGION}::/restapis/{api}/stages/{stage}")  # fmt: skip
            patches = [{"op": "replace", "path": path, "value": value} for path, value in changes]
            if patches:
                gateway.update_stage(**where, patchOperations=patches)

    make("not-deployed", set(), {})
    make("bare", {QUIET, OPEN}, {"prod": []}, ())
    make("good", set(), {"prod": [LOUD], "test": [("/*/*/logging/loglevel", "INFO")]})
    make("one-stage-quiet", {QUIET}, {"prod": [LOUD], "test": [("/*/*/logging/loglevel", "OFF")]})
    make("one-method-quiet", {QUIET}, {"prod": [LOUD, ("/~1pets/GET/logging/loglevel", "OFF")]})
    make("one-stage-open", {OPEN}, {"prod": [LOUD], "test": [LOUD]}, ("prod",))
    make("private", set(), {"prod": [LOUD]}, (), kind="PRIVATE")
    make("cache-encrypted", set(), {"prod": [LOUD, CACHED]}, cache=True)
    make("cache-plain", {CACHE}, {"prod": [LOUD, CACHED, PLAIN]}, cache=True)
    make("cache-of-nothing", set(), {"prod": [LOUD, PLAIN]}, cache=True)
    make("cache-as-it-comes", {CACHE, QUIET}, {"prod": []}, cache=True)
    make("no-cache", set(), {"prod": [LOUD, CACHED, PLAIN]})
    signed, nobody = {"authorizationType": "AWS_IAM"}, {"authorizationType": "NONE"}
    free: Verbs = {"GET": signed, "POST": nobody}
    some = policy(
        "*", "execute-api:Invoke", condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
    )
    everybody = policy("*", "execute-api:Invoke")
    make("one-method-free", {FREE}, {"prod": [LOUD]}, verbs=free)
    make("free-within", set(), {"prod": [LOUD]}, (), kind="PRIVATE", verbs=free)
    make("free-by-key", set(), {"prod": [LOUD]}, verbs={"GET": nobody | {"apiKeyRequired": True}})
    make("free-for-browsers", set(), {"prod": [LOUD]}, verbs={"GET": signed, "OPTIONS": nobody})
    for form, told in (("plain", str), ("escaped", lambda text: escaped(json.loads(text)))):
        make(f"free-for-some-{form}", set(), {"prod": [LOUD]}, verbs=free, rights=told(some))
        make(f"free-by-policy-{form}", {FREE}, {"prod": [LOUD]}, verbs=free, rights=told(everybody))
    return truth


def _domains(gateway: Any) -> Truth:
    for name, least in (("old.example", "TLS_1_0"), ("new.example", "TLS_1_2")):
        gateway.create_domain_name(domainName=name, securityPolicy=least)
    return {"old.example": {"apigateway-domain-name-modern-tls"}, "new.example": set()}


def _others(moto: Moto) -> Truth:
    gateway = moto.client("apigatewayv2", REGION)
    truth: Truth = {}

    def make(name: str, breaks: set[str], routes: dict[str, str], *stages: dict[str, Any], socket: bool = False) -> None:  # fmt: skip
        more = {"RouteSelectionExpression": "$request.body.action"} if socket else {}
        api = gateway.create_api(Name=name, ProtocolType="WEBSOCKET" if socket else "HTTP", **more)["ApiId"]  # fmt: skip
        truth[name] = breaks
        for key, authorization in routes.items():
            gateway.create_route(ApiId=api, RouteKey=key, AuthorizationType=authorization)
        for number, stage in enumerate(stages):
            gateway.create_stage(ApiId=api, StageName=f"s{number}", **stage)

    logged: dict[str, Any] = {"AccessLogSettings": LOG}
    loud = logged | {"DefaultRouteSettings": {"LoggingLevel": "ERROR"}}
    make("http-bare", set(), {})
    make("http-good", set(), {"GET /": "AWS_IAM", "OPTIONS /": "NONE"}, logged, logged)
    make("http-unlogged", {UNLOGGED}, {"GET /": "AWS_IAM"}, logged, {})
    make("http-open", {ANYBODY}, {"GET /": "AWS_IAM", "$default": "NONE"}, logged)
    make("socket-good", set(), {"$connect": "AWS_IAM", "$default": "NONE"}, loud, socket=True)
    make("socket-open", {ANYBODY}, {"$connect": "NONE"}, loud, socket=True)
    make("socket-without-door", {ANYBODY}, {"$default": "NONE"}, loud, socket=True)
    make("socket-silent", {SILENT}, {"$connect": "AWS_IAM"}, loud, logged, socket=True)
    quiet = loud | {"RouteSettings": {"send": {"LoggingLevel": "OFF"}}}
    make("socket-one-route-silent", {SILENT}, {"$connect": "AWS_IAM"}, quiet, socket=True)
    return truth
