"""REST, HTTP and WebSocket APIs, and their domain names."""

from typing import Any

from tests.collectors.edge_made import methods, web_acl
from tests.collectors.moto import MASTER, Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::ApiGateway::RestApi", "AWS::ApiGateway::DomainName", "AWS::ApiGatewayV2::Api"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()
REGION = "eu-west-1"
QUIET, OPEN, CACHE = (f"apigateway-rest-api-{rule}" for rule in ("execution-logged", "behind-waf", "cache-encrypted"))  # fmt: skip
UNLOGGED, ANYBODY, SILENT = (f"apigatewayv2-api-{rule}" for rule in ("access-logged", "routes-authorized", "execution-logged"))  # fmt: skip
LOG = {"DestinationArn": f"arn:aws:logs:{REGION}:{MASTER}:log-group:x", "Format": "$context.requestId"}  # fmt: skip
Change = tuple[str, str]
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
             cache: bool = False, kind: str = "REGIONAL") -> None:  # fmt: skip
        api = gateway.create_rest_api(name=name, endpointConfiguration={"types": [kind]})["id"]
        truth[name] = breaks
        deployment = methods(gateway, api) if stages else ""
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
    return truth


def _domains(gateway: Any) -> Truth:
    for name, policy in (("old.example", "TLS_1_0"), ("new.example", "TLS_1_2")):
        gateway.create_domain_name(domainName=name, securityPolicy=policy)
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
