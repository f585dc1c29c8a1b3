"""What stands between the internet and an account: access points, distributions, zones, certificates, APIs."""

from typing import Any

from tests.collectors.edge_made import (
    ACCOUNT,
    TAGS,
    certificate,
    distribution,
    escaped,
    methods,
    to_own_host,
    web_acl,
)


def furnish(moto: Any) -> None:
    """Two of each type, one bare, one with everything."""
    _access_points(moto)
    _distributions(moto)
    _firewalls(moto)
    _certificates(moto)
    _rest_apis(moto)
    _other_apis(moto)


def _access_points(moto: Any) -> None:
    control = moto.client("s3control")
    control.meta.events.register("before-sign", to_own_host)
    control.create_access_point(AccountId=ACCOUNT, Name="bare", Bucket="bare")
    switches = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)  # fmt: skip
    control.create_access_point(
        AccountId=ACCOUNT,
        Name="full",
        Bucket="bare",
        VpcConfiguration={"VpcId": "vpc-0123"},
        PublicAccessBlockConfiguration=switches,
        Tags=TAGS,
    )
    policy = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}]}'
    control.put_access_point_policy(AccountId=ACCOUNT, Name="full", Policy=policy)


def _distributions(moto: Any) -> None:
    cloudfront, logs = moto.client("cloudfront"), moto.client("logs")
    cloudfront.create_distribution(DistributionConfig=distribution("bare"))
    secret = {
        "Quantity": 1,
        "Items": [{"HeaderName": "x-from", "HeaderValue": "only-cloudfront-knows"}],
    }
    full = distribution(
        "full",
        DefaultRootObject="index.html",
        WebACLId=f"arn:aws:wafv2:us-east-1:{ACCOUNT}:global/webacl/x/1",
        Logging={
            "Enabled": True,
            "IncludeCookies": False,
            "Bucket": "logs.s3.amazonaws.com",
            "Prefix": "",
        },
    )
    full["Origins"]["Items"][0]["CustomHeaders"] = secret
    made = cloudfront.create_distribution_with_tags(
        DistributionConfigWithTags={"DistributionConfig": full, "Tags": {"Items": TAGS}}
    )
    logs.put_delivery_source(name="edge", resourceArn=made["Distribution"]["ARN"], logType="ACCESS_LOGS")  # fmt: skip
    there = logs.put_delivery_destination(
        name="kept",
        deliveryDestinationConfiguration={"destinationResourceArn": "arn:aws:s3:::logs"},
    )
    logs.create_delivery(
        deliverySourceName="edge", deliveryDestinationArn=there["deliveryDestination"]["arn"]
    )


def _firewalls(moto: Any) -> None:
    waf = moto.client("wafv2")
    for scope in ("REGIONAL", "CLOUDFRONT"):
        web_acl(waf, "bare", scope)
        arn = web_acl(waf, "full", scope, rules=True, Tags=TAGS)
        waf.put_logging_configuration(
            LoggingConfiguration={
                "ResourceArn": arn,
                "LogDestinationConfigs": [
                    f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:aws-waf-logs-x"
                ],
            }
        )


def _certificates(moto: Any) -> None:
    acm = moto.client("acm")
    acm.request_certificate(DomainName="bare.example", ValidationMethod="DNS")
    body, key = certificate("full.example")
    acm.import_certificate(Certificate=body, PrivateKey=key, Tags=TAGS)


def _rest_apis(moto: Any) -> None:
    gateway = moto.client("apigateway")
    gateway.create_rest_api(name="bare")
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "execute-api:Invoke",
        "Resource": "*",
    }
    policy = escaped({"Version": "2012-10-17", "Statement": [statement]})
    api = gateway.create_rest_api(name="full", policy=policy, tags={"env": "prod"})["id"]
    deployment = methods(gateway, api)
    gateway.create_stage(restApiId=api, stageName="prod", deploymentId=deployment, cacheClusterEnabled=True, cacheClusterSize="0.5",
                         variables={"password": "hunter22"}, tracingEnabled=True)  # fmt: skip
    changes = [("/*/*/logging/loglevel", "INFO"), ("/accessLogSettings/destinationArn", f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:x")]  # fmt: skip
    gateway.update_stage(
        restApiId=api,
        stageName="prod",
        patchOperations=[{"op": "replace", "path": p, "value": v} for p, v in changes],
    )
    gateway.create_domain_name(domainName="bare.example", securityPolicy="TLS_1_0")
    gateway.create_domain_name(
        domainName="full.example",
        regionalCertificateArn=f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/x",
        endpointConfiguration={"types": ["REGIONAL"]},
        securityPolicy="TLS_1_2",
        tags={"env": "prod"},
    )


def _other_apis(moto: Any) -> None:
    gateway = moto.client("apigatewayv2")
    gateway.create_api(Name="bare", ProtocolType="HTTP")
    api = gateway.create_api(Name="full", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action",
                             Tags={"env": "prod"})["ApiId"]  # fmt: skip
    gateway.create_route(ApiId=api, RouteKey="$connect", AuthorizationType="AWS_IAM")
    gateway.create_stage(
        ApiId=api,
        StageName="prod",
        StageVariables={"token": "hunter22"},
        AccessLogSettings={
            "DestinationArn": f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:x",
            "Format": "$context.requestId",
        },
        DefaultRouteSettings={"LoggingLevel": "INFO"},
    )
