"""Groups of machines. Launch configurations are written by hand: the simulated AWS knows no metadata options of theirs."""

from typing import Any

from tests.collectors.moto import Moto
from tests.collectors.truth import Truth

TYPES = {"AWS::AutoScaling::AutoScalingGroup"}
NEVER_FAILED: set[str] = set()
NEVER_PASSED: set[str] = set()
REGION = "eu-west-1"


def build(moto: Moto) -> Truth:
    ec2, client = moto.client("ec2", REGION), moto.client("autoscaling", REGION)
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    target = moto.client("elbv2", REGION).create_target_group(Name="tg", Protocol="HTTP", Port=80, VpcId=vpc)["TargetGroups"][0]["TargetGroupArn"]  # fmt: skip
    moto.client("elb", REGION).create_load_balancer(
        LoadBalancerName="classic", AvailabilityZones=[f"{REGION}a"],
        Listeners=[{"Protocol": "tcp", "LoadBalancerPort": 80, "InstancePort": 80}],
    )  # fmt: skip
    image = ec2.describe_images()["Images"][0]["ImageId"]
    template = ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData={"ImageId": image, "InstanceType": "t3.micro"})["LaunchTemplate"]["LaunchTemplateId"]  # fmt: skip
    client.create_launch_configuration(LaunchConfigurationName="lc", ImageId=image, InstanceType="t3.micro")  # fmt: skip
    of_template = {"LaunchTemplate": {"LaunchTemplateId": template, "Version": "1"}}
    mixed = {"MixedInstancesPolicy": {"LaunchTemplate": {"LaunchTemplateSpecification": of_template["LaunchTemplate"]}}}  # fmt: skip
    health, zones = "autoscaling-group-health-checked-by-balancer", ["a", "b"]
    elb = {"HealthCheckType": "ELB", "HealthCheckGracePeriod": 60}
    rows: dict[str, tuple[dict[str, Any], list[str], set[str]]] = {
        "g-good": (of_template | elb | {"TargetGroupARNs": [target]}, zones, set()),
        "g-classic": (of_template | elb | {"LoadBalancerNames": ["classic"]}, zones, set()),
        "g-alone": (of_template, zones, set()),
        "g-mixed": (mixed, zones, set()),
        "g-unasked": (of_template | {"TargetGroupARNs": [target]}, zones, {health}),
        "g-classic-unasked": (of_template | {"LoadBalancerNames": ["classic"]}, zones, {health}),
        "g-one-zone": (of_template, ["a"], {"autoscaling-group-several-zones"}),
        "g-configured": ({"LaunchConfigurationName": "lc"}, zones, {"autoscaling-group-launch-template"}),
    }  # fmt: skip
    for name, (more, where, _) in rows.items():
        client.create_auto_scaling_group(
            AutoScalingGroupName=name, MinSize=0, MaxSize=1, AvailabilityZones=[f"{REGION}{zone}" for zone in where], **more
        )  # fmt: skip
    return {name: breaks for name, (_, _, breaks) in rows.items()}
