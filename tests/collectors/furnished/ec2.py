"""Images, networks and what is between them."""

from typing import Any

from tests.collectors.moto import Moto

TAGS = [{"Key": "env", "Value": "prod"}]


def tagged(what: str) -> list[dict[str, Any]]:
    return [{"ResourceType": what, "Tags": TAGS}]


def furnish(moto: Moto) -> None:
    ec2 = moto.client("ec2")
    _images(ec2)
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    acl = ec2.create_network_acl(VpcId=vpc, TagSpecifications=tagged("network-acl"))["NetworkAcl"]["NetworkAclId"]  # fmt: skip
    ports = {"From": 22, "To": 22}
    ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=90, Protocol="6", RuleAction="deny", Egress=False, CidrBlock="0.0.0.0/0", PortRange=ports)  # fmt: skip
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    ec2.create_tags(Resources=[subnet], Tags=TAGS)
    ec2.allocate_address(Domain="vpc")
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip"))
    instance = ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    ec2.associate_address(AllocationId=address["AllocationId"], InstanceId=instance)
    _services(moto, subnet)
    ec2.create_transit_gateway()
    ec2.create_transit_gateway(Options={"AutoAcceptSharedAttachments": "enable"}, TagSpecifications=tagged("transit-gateway"))  # fmt: skip
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.ec2", VpcEndpointType="Interface", SubnetIds=[subnet])  # fmt: skip
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.us-east-1.s3", TagSpecifications=tagged("vpc-endpoint"))  # fmt: skip
    made = ec2.create_managed_prefix_list(PrefixListName="office", MaxEntries=5, AddressFamily="IPv4", Entries=[{"Cidr": "203.0.113.0/24", "Description": "office"}])  # fmt: skip
    name = made["PrefixList"]["PrefixListId"]
    group = ec2.create_security_group(GroupName="office", Description="x", VpcId=vpc)["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "PrefixListIds": [{"PrefixListId": name}]}  # fmt: skip
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[permission])


def _images(ec2: Any) -> None:
    volume = ec2.describe_volumes()["Volumes"][0]["VolumeId"]
    ec2.create_snapshot(VolumeId=volume)
    shared = ec2.create_snapshot(VolumeId=volume, TagSpecifications=tagged("snapshot"))["SnapshotId"]  # fmt: skip
    ec2.modify_snapshot_attribute(SnapshotId=shared, Attribute="createVolumePermission", OperationType="add", GroupNames=["all"])  # fmt: skip
    instance = ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    ec2.create_image(InstanceId=instance, Name="bare")
    full = ec2.create_image(InstanceId=instance, Name="full", TagSpecifications=tagged("image"))["ImageId"]  # fmt: skip
    ec2.modify_image_attribute(ImageId=full, LaunchPermission={"Add": [{"Group": "all"}]})


def _services(moto: Moto, subnet: str) -> None:
    made = moto.client("elbv2").create_load_balancer(Name="inside", Subnets=[subnet], Type="network")  # fmt: skip
    balancer = made["LoadBalancers"][0]["LoadBalancerArn"]
    ec2 = moto.client("ec2")
    for required in (True, False):
        service = ec2.create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=[balancer], AcceptanceRequired=required)  # fmt: skip
        name = service["ServiceConfiguration"]["ServiceId"]
        if not required:
            ec2.create_tags(Resources=[name], Tags=TAGS)
            ec2.modify_vpc_endpoint_service_permissions(ServiceId=name, AddAllowedPrincipals=["*"])
