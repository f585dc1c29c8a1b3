"""Load balancers, groups, containers and builds: two of each, one bare and one with everything."""

import json
from typing import Any

from tests.collectors.moto import MASTER, Moto

TAGS = [{"Key": "env", "Value": "prod"}]
LOW = [{"key": "env", "value": "prod"}]
ROLE = f"arn:aws:iam::{MASTER}:role/full"


def furnish(moto: Moto) -> None:
    subnets = subnets_of(moto)
    _balancers(moto, subnets)
    _classic(moto.client("elb"))
    _groups(moto.client("autoscaling"), subnets)
    group = moto.client("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
    _ecs(moto.client("ecs"), subnets, group)
    _eks(moto.client("eks"), subnets)
    _builds(moto.client("codebuild"))
    _images(moto.client("ecr"))
    _aliases(moto.client("lambda"))


def subnets_of(moto: Moto, region: str = "us-east-1") -> list[str]:
    """Two subnets of the default VPC, in two zones."""
    found = moto.client("ec2", region).describe_subnets()["Subnets"]
    zones = {subnet["AvailabilityZone"]: str(subnet["SubnetId"]) for subnet in found}
    return [zones[zone] for zone in sorted(zones)][:2]


def _balancers(moto: Moto, subnets: list[str]) -> None:
    elb = moto.client("elbv2")
    elb.create_load_balancer(Name="bare", Subnets=subnets, Type="network")
    arn = elb.create_load_balancer(Name="full", Subnets=subnets, Tags=TAGS)["LoadBalancers"][0]["LoadBalancerArn"]  # fmt: skip
    redirect = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}  # fmt: skip
    listener = elb.create_listener(LoadBalancerArn=arn, Protocol="HTTP", Port=80, DefaultActions=[redirect])  # fmt: skip
    elb.create_rule(
        ListenerArn=listener["Listeners"][0]["ListenerArn"], Priority=1, Actions=[redirect],
        Conditions=[{"Field": "path-pattern", "Values": ["/old"]}],
    )  # fmt: skip
    group = elb.create_target_group(Name="tg", TargetType="lambda")["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    elb.create_listener(
        LoadBalancerArn=arn, Protocol="HTTPS", Port=443, DefaultActions=[{"Type": "forward", "TargetGroupArn": group}],
        Certificates=[{"CertificateArn": certificate(moto)}],
    )  # fmt: skip
    acl = web_acl(moto.client("wafv2"))
    moto.client("wafv2").associate_web_acl(WebACLArn=acl, ResourceArn=arn)


def certificate(moto: Moto, region: str = "us-east-1") -> str:
    made = moto.client("acm", region).request_certificate(DomainName="example.com")
    return str(made["CertificateArn"])


def web_acl(waf: Any) -> str:
    seen = {"SampledRequestsEnabled": True, "CloudWatchMetricsEnabled": True, "MetricName": "acl"}
    made = waf.create_web_acl(Name="acl", Scope="REGIONAL", DefaultAction={"Allow": {}}, VisibilityConfig=seen, Rules=[])  # fmt: skip
    return str(made["Summary"]["ARN"])


def _classic(elb: Any) -> None:
    http = {"Protocol": "http", "LoadBalancerPort": 80, "InstancePort": 80}
    for name in ("bare", "full"):
        elb.create_load_balancer(LoadBalancerName=name, Listeners=[http], AvailabilityZones=["us-east-1a"])  # fmt: skip
    elb.add_tags(LoadBalancerNames=["full"], Tags=TAGS)
    elb.create_load_balancer_policy(
        LoadBalancerName="full", PolicyName="tls", PolicyTypeName="SSLNegotiationPolicyType",
        PolicyAttributes=[{"AttributeName": "Protocol-TLSv1.2", "AttributeValue": "true"}],
    )  # fmt: skip


def _groups(client: Any, subnets: list[str]) -> None:
    client.create_launch_configuration(LaunchConfigurationName="lc", ImageId="ami-12345678", InstanceType="t3.micro")  # fmt: skip
    size = {"MinSize": 0, "MaxSize": 1, "LaunchConfigurationName": "lc"}
    client.create_auto_scaling_group(AutoScalingGroupName="bare", AvailabilityZones=["us-east-1a"], **size)  # fmt: skip
    tag = {"ResourceId": "full", "ResourceType": "auto-scaling-group", "PropagateAtLaunch": True}
    client.create_auto_scaling_group(
        AutoScalingGroupName="full", VPCZoneIdentifier=",".join(subnets), HealthCheckType="ELB",
        HealthCheckGracePeriod=60, LoadBalancerNames=["full"], Tags=[TAGS[0] | tag], **size,
    )  # fmt: skip


def _ecs(ecs: Any, subnets: list[str], group: str) -> None:
    ecs.create_cluster(clusterName="bare")
    ecs.create_cluster(clusterName="full", tags=LOW, settings=[{"name": "containerInsights", "value": "enabled"}])  # fmt: skip
    container = {"name": "app", "image": "app", "memory": 64}
    ecs.register_task_definition(family="bare", containerDefinitions=[container])
    ecs.register_task_definition(family="full", containerDefinitions=[container])
    ecs.register_task_definition(
        family="full", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", tags=LOW,
        containerDefinitions=[container | {"environment": [{"name": "DB", "value": "postgres://app:hunter22@db/app"}]}],
    )  # fmt: skip
    ecs.create_service(cluster="full", serviceName="bare", taskDefinition="bare", desiredCount=0)
    network = {"awsvpcConfiguration": {"subnets": subnets, "securityGroups": [group], "assignPublicIp": "DISABLED"}}  # fmt: skip
    ecs.create_service(
        cluster="full", serviceName="full", taskDefinition="full", desiredCount=0, launchType="FARGATE",
        platformVersion="LATEST", networkConfiguration=network, tags=LOW,
    )  # fmt: skip


def _eks(eks: Any, subnets: list[str]) -> None:
    network = {"subnetIds": subnets}
    eks.create_cluster(name="bare", roleArn=ROLE, resourcesVpcConfig=network)
    eks.create_cluster(
        name="full", version="1.34", roleArn=ROLE, resourcesVpcConfig=network, tags={"env": "prod"},
        logging={"clusterLogging": [{"types": ["audit"], "enabled": True}]},
        encryptionConfig=[{"resources": ["secrets"], "provider": {"keyArn": f"arn:aws:kms:us-east-1:{MASTER}:key/k"}}],
    )  # fmt: skip
    nodes = {"clusterName": "full", "nodeRole": ROLE, "subnets": subnets}
    eks.create_nodegroup(nodegroupName="bare", **nodes)
    eks.create_nodegroup(
        nodegroupName="full", remoteAccess={"ec2SshKey": "key", "sourceSecurityGroups": ["sg-12345678"]},
        tags={"env": "prod"}, **nodes,
    )  # fmt: skip


def _builds(client: Any) -> None:
    common: dict[str, Any] = {"serviceRole": ROLE, "artifacts": {"type": "NO_ARTIFACTS"}}
    machine = {"type": "LINUX_CONTAINER", "image": "aws/codebuild/standard:7.0", "computeType": "BUILD_GENERAL1_SMALL"}  # fmt: skip
    source = {"type": "GITHUB", "location": "https://github.com/example/app"}
    client.create_project(name="bare", source=source, environment=machine, **common)
    values = [{"name": "DB", "value": "postgres://app:hunter22@db/app", "type": "PLAINTEXT"}]
    client.create_project(
        name="full", source=source, environment=machine | {"environmentVariables": values}, tags=LOW,
        logsConfig={"cloudWatchLogs": {"status": "ENABLED"}, "s3Logs": {"status": "DISABLED"}}, **common,
    )  # fmt: skip


def _images(ecr: Any) -> None:
    rule = {"rulePriority": 1, "action": {"type": "expire"}, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 9}}  # fmt: skip
    ecr.put_lifecycle_policy(repositoryName="full", lifecyclePolicyText=json.dumps({"rules": [rule]}))  # fmt: skip


def _aliases(functions: Any) -> None:
    for name in ("bare", "full"):
        version = functions.publish_version(FunctionName=name)["Version"]
        functions.create_alias(FunctionName=name, Name="live", FunctionVersion=version)
    functions.add_permission(
        FunctionName="full", Qualifier="live", StatementId="other", Action="lambda:InvokeFunction", Principal="*",
    )  # fmt: skip
