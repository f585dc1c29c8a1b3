"""Networks, machines and images in eu-west-1. What AWS makes by itself is there in both regions, with its flaws."""

from typing import Any

from tests.collectors.moto import Moto
from tests.collectors.truth import Truth

# Snapshot, LaunchTemplate, RegionSettings and both kinds of VPN need calls that the simulated AWS does not know
TYPES = {
    "AWS::EC2::EBSDefaults", "AWS::EC2::EIP", "AWS::EC2::Image", "AWS::EC2::Instance", "AWS::EC2::NetworkAcl",
    "AWS::EC2::SecurityGroup", "AWS::EC2::Subnet", "AWS::EC2::TransitGateway", "AWS::EC2::VPC", "AWS::EC2::VPCEndpointService",
    "AWS::EC2::Volume",
}  # fmt: skip
NEVER_FAILED = {"ec2-instance-not-stopped-for-long"}  # nothing here is older than a minute
NEVER_PASSED: set[str] = set()
SSH, RDP = "ec2-security-group-no-ssh-from-internet", "ec2-security-group-no-rdp-from-internet"
RISKY, CONSOLES = (f"ec2-security-group-no-{what}-from-internet" for what in ("risky-ports", "consoles"))  # fmt: skip
ONLY_WEB = "ec2-security-group-only-web-from-internet"
CIFS = "ec2-security-group-no-cifs-from-internet"
EVERY = {SSH, RDP, CIFS, RISKY, CONSOLES, ONLY_WEB}
FLOW, ENDPOINT = "ec2-vpc-flow-logs-enabled", "ec2-vpc-reaches-ec2-privately"
ADMIN = "ec2-network-acl-no-admin-ports-from-internet"
WORLD = "0.0.0.0/0"


def build(moto: Moto) -> Truth:
    ec2 = moto.client("ec2", "eu-west-1")
    moto.client("s3").create_bucket(Bucket="bare")
    moto.client("ec2", "us-east-1").enable_ebs_encryption_by_default()
    truth: Truth = {"ebs-defaults@eu-west-1": {"ec2-ebs-default-encryption"}, "ebs-defaults@us-east-1": set()}  # fmt: skip
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    truth[vpc] = {FLOW, ENDPOINT}
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.0.0/24")["Subnet"]["SubnetId"]
    truth |= _groups(ec2) | _machines(moto, subnet) | _networks(ec2) | _acls(ec2, vpc)
    truth |= _services(moto, subnet)
    for accepts in ("enable", "disable"):
        made = ec2.create_transit_gateway(Options={"AutoAcceptSharedAttachments": accepts})["TransitGateway"]["TransitGatewayId"]  # fmt: skip
        truth[made] = {"ec2-transit-gateway-no-auto-accept"} if accepts == "enable" else set()
    for region in ("us-east-1", "eu-west-1"):
        truth = _by_itself(moto.client("ec2", region)) | truth
    return truth


def _by_itself(ec2: Any) -> Truth:
    """What AWS makes in every region and VPC."""
    truth: Truth = {vpc["VpcId"]: {FLOW} for vpc in ec2.describe_vpcs()["Vpcs"]}
    for group in ec2.describe_security_groups()["SecurityGroups"]:
        if group["GroupName"] == "default":
            truth[group["GroupId"]] = {"ec2-security-group-default-closed"}
    for acl in ec2.describe_network_acls()["NetworkAcls"]:
        truth[acl["NetworkAclId"]] = {ADMIN} if acl["Associations"] else set()
    for subnet in ec2.describe_subnets()["Subnets"]:
        truth[subnet["SubnetId"]] = {"ec2-subnet-no-public-addresses"} if subnet["DefaultForAz"] else set()  # fmt: skip
    for volume in ec2.describe_volumes()["Volumes"]:
        truth[volume["VolumeId"]] = set() if volume["Encrypted"] else {"ec2-volume-encrypted"}
    return truth


def rule(low: int, high: int, protocol: str = "tcp", *, four: str = "", six: str = "", listed: str = "") -> dict[str, Any]:  # fmt: skip
    out: dict[str, Any] = {"IpProtocol": protocol}
    if protocol != "-1":
        out |= {"FromPort": low, "ToPort": high}
    if four:
        out["IpRanges"] = [{"CidrIp": four}]
    if six:
        out["Ipv6Ranges"] = [{"CidrIpv6": six}]
    return out | ({"PrefixListIds": [{"PrefixListId": listed}]} if listed else {})


def _groups(ec2: Any) -> Truth:
    lists = {}
    for name, cidrs in (("office", ["203.0.113.0/24"]), ("world", ["0.0.0.0/1", "128.0.0.0/1"])):
        entries = [{"Cidr": cidr} for cidr in cidrs]
        made = ec2.create_managed_prefix_list(PrefixListName=name, MaxEntries=5, AddressFamily="IPv4", Entries=entries)  # fmt: skip
        lists[name] = made["PrefixList"]["PrefixListId"]
    truth: Truth = {}
    rules: list[dict[str, Any]]
    for name, breaks, rules in (
        ("g-none", set(), []),
        ("g-ssh", {SSH, ONLY_WEB}, [rule(22, 22, four=WORLD)]),
        ("g-ssh-by-six", {SSH, ONLY_WEB}, [rule(22, 22, six="::/0")]),
        ("g-range", {SSH, CIFS, RISKY, ONLY_WEB}, [rule(0, 1024, four=WORLD)]),
        ("g-all-ports", EVERY, [rule(0, 65535, four=WORLD)]),
        ("g-all-protocols", EVERY, [rule(0, 0, "-1", four=WORLD)]),
        ("g-rdp-udp", {RDP, ONLY_WEB}, [rule(3389, 3389, "udp", four=WORLD)]),
        ("g-halves", {SSH, ONLY_WEB}, [rule(22, 22, four="0.0.0.0/1"), rule(22, 22, four="128.0.0.0/1")]),
        ("g-halves-elsewhere", set(), [rule(22, 22, four="0.0.0.0/9"), rule(23, 23, four="0.128.0.0/9")]),
        ("g-web", set(), [rule(443, 443, four=WORLD), rule(80, 80, six="::/0")]),
        ("g-around-web", {RISKY, ONLY_WEB}, [rule(80, 443, four=WORLD)]),
        ("g-office", set(), [rule(22, 22, four="203.0.113.0/24"), rule(3389, 3389, four="10.0.0.0/8")]),
        ("g-around", {CIFS, RISKY, CONSOLES, ONLY_WEB}, [rule(23, 3388, four=WORLD)]),
        ("g-ping", set(), [rule(-1, -1, "icmp", four=WORLD)]),
        ("g-files", {CIFS, RISKY, ONLY_WEB}, [rule(445, 445, six="::/0")]),
        ("g-database", {RISKY, ONLY_WEB}, [rule(5432, 5432, four=WORLD)]),
        ("g-database-inside", set(), [rule(5432, 5432, four="10.0.0.0/8")]),
        ("g-console", {CONSOLES, ONLY_WEB}, [rule(8080, 8080, four=WORLD)]),
        ("g-other-tls", {ONLY_WEB}, [rule(8443, 8443, four=WORLD)]),
        ("g-list-office", set(), [rule(22, 22, listed=lists["office"])]),
        ("g-list-world", {SSH, ONLY_WEB}, [rule(22, 22, listed=lists["world"])]),
    ):  # fmt: skip
        made = ec2.create_security_group(GroupName=name, Description="x")["GroupId"]
        if rules:
            ec2.authorize_security_group_ingress(GroupId=made, IpPermissions=rules)
        truth[name] = set(breaks)
    return truth


def _machines(moto: Moto, subnet: str) -> Truth:
    ec2, truth = moto.client("ec2", "eu-west-1"), Truth()
    imds, public, role = (f"ec2-instance-{what}" for what in ("imdsv2-required", "no-public-address", "has-role"))  # fmt: skip
    moto.client("iam").create_instance_profile(InstanceProfileName="web")
    good = {"HttpTokens": "required", "HttpEndpoint": "enabled"}

    def machine(*breaks: str, metadata: dict[str, str] = good, **more: Any) -> str:
        device = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 1, "Encrypted": True}}]
        if role not in breaks:
            more["IamInstanceProfile"] = {"Name": "web"}
        if public not in breaks or "keep" in more:
            more["SubnetId"] = subnet
        more.pop("keep", None)
        made = ec2.run_instances(ImageId="ami-12c6146b", MinCount=1, MaxCount=1, BlockDeviceMappings=device, MetadataOptions=metadata, **more)  # fmt: skip
        name = str(made["Instances"][0]["InstanceId"])
        truth[name] = set(breaks)
        return name

    first = machine()
    machine(role)
    machine(imds, metadata=good | {"HttpTokens": "optional"})
    machine(metadata={"HttpTokens": "optional", "HttpEndpoint": "disabled"})
    machine(public)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    ec2.associate_address(AllocationId=address, InstanceId=machine(public, keep=True))
    truth |= {address: set(), ec2.allocate_address(Domain="vpc")["AllocationId"]: {"ec2-eip-in-use"}}  # fmt: skip
    ec2.stop_instances(InstanceIds=[machine()])
    router = machine("ec2-instance-source-checked")
    ec2.modify_instance_attribute(InstanceId=router, SourceDestCheck={"Value": False})
    gone = machine(imds, role, metadata=good | {"HttpTokens": "optional"})
    ec2.terminate_instances(InstanceIds=[gone])
    del truth[gone]
    for encrypted in (True, False):
        ec2.create_volume(AvailabilityZone="eu-west-1a", Size=1, Encrypted=encrypted)
    for name in ("private", "shared", "public"):
        image = ec2.create_image(InstanceId=first, Name=name)["ImageId"]
        truth[image] = {"ec2-image-not-public"} if name == "public" else set()
        to = {"private": [], "shared": [{"UserId": "222222222222"}], "public": [{"Group": "all"}]}
        if to[name]:
            ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": to[name]})
    return truth


def _networks(ec2: Any) -> Truth:
    truth: Truth = {}
    vpc = ""
    for traffic in ("ALL", "REJECT", "ACCEPT"):
        vpc = ec2.create_vpc(CidrBlock="10.2.0.0/16")["Vpc"]["VpcId"]
        ec2.create_flow_logs(ResourceIds=[vpc], ResourceType="VPC", TrafficType=traffic, LogDestinationType="s3", LogDestination="arn:aws:s3:::bare")  # fmt: skip
        truth[vpc] = {ENDPOINT} | ({FLOW} if traffic == "ACCEPT" else set())
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.2.0.0/24")["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=subnet, MapPublicIpOnLaunch={"Value": True})
    truth[subnet] = {"ec2-subnet-no-public-addresses"}
    first = next(iter(truth))
    ec2.create_vpc_endpoint(VpcId=first, ServiceName="com.amazonaws.eu-west-1.s3", VpcEndpointType="Gateway")  # fmt: skip
    ec2.create_vpc_endpoint(VpcId=vpc, ServiceName="com.amazonaws.eu-west-1.ec2", VpcEndpointType="Interface", SubnetIds=[subnet])  # fmt: skip
    truth[vpc] = {FLOW}
    for group in ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]:  # fmt: skip
        every = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": WORLD}]}]
        ec2.revoke_security_group_egress(GroupId=group["GroupId"], IpPermissions=every)
        ec2.revoke_security_group_ingress(GroupId=group["GroupId"], IpPermissions=group["IpPermissions"])  # fmt: skip
        truth[group["GroupId"]] = set()
    return truth


def _acls(ec2: Any, vpc: str) -> Truth:
    truth: Truth = {ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]: {"ec2-network-acl-in-use"}}  # fmt: skip
    everything = (100, "allow", "-1", WORLD, 0)
    cases: list[tuple[set[str], list[tuple[int, str, str, str, int]]]] = [
        (set(), []),
        (set(), [(100, "allow", "6", WORLD, 443)]),
        ({ADMIN}, [(100, "allow", "6", WORLD, 22)]),
        ({ADMIN}, [(100, "allow", "6", WORLD, 3389)]),
        (set(), [(100, "allow", "6", "203.0.113.0/24", 22)]),
        ({ADMIN}, [everything]),
        ({ADMIN}, [everything, (110, "deny", "-1", WORLD, 0)]),
        ({ADMIN}, [everything, (90, "deny", "6", WORLD, 22)]),
        (set(), [everything, (90, "deny", "-1", WORLD, 0)]),
        ({ADMIN}, [everything, (90, "deny", "-1", "203.0.113.0/24", 0)]),
    ]  # fmt: skip
    for number, (breaks, entries) in enumerate(cases):
        acl = ec2.create_network_acl(VpcId=vpc)["NetworkAcl"]["NetworkAclId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.1.{number + 1}.0/24")["Subnet"]["SubnetId"]  # fmt: skip
        mine = [{"Name": "association.subnet-id", "Values": [subnet]}]
        found = ec2.describe_network_acls(Filters=mine)["NetworkAcls"][0]["Associations"]
        old = next(one for one in found if one["SubnetId"] == subnet)["NetworkAclAssociationId"]
        ec2.replace_network_acl_association(AssociationId=old, NetworkAclId=acl)
        for place, action, protocol, cidr, port in entries:
            more = {"PortRange": {"From": port, "To": port}} if port else {}
            ec2.create_network_acl_entry(NetworkAclId=acl, RuleNumber=place, Protocol=protocol, RuleAction=action, Egress=False, CidrBlock=cidr, **more)  # fmt: skip
        truth[acl] = set(breaks)
    return truth


def _services(moto: Moto, subnet: str) -> Truth:
    ec2, truth = moto.client("ec2", "eu-west-1"), Truth()
    balancers = moto.client("elbv2", "eu-west-1").create_load_balancer(Name="inside", Subnets=[subnet], Type="network")  # fmt: skip
    balancer = balancers["LoadBalancers"][0]["LoadBalancerArn"]
    for required, principal, broken in (
        (False, "*", True),
        (True, "*", False),
        (False, "arn:aws:iam::222222222222:root", False),
        (False, "", False),
    ):
        made = ec2.create_vpc_endpoint_service_configuration(NetworkLoadBalancerArns=[balancer], AcceptanceRequired=required)  # fmt: skip
        name = made["ServiceConfiguration"]["ServiceId"]
        if principal:
            ec2.modify_vpc_endpoint_service_permissions(ServiceId=name, AddAllowedPrincipals=[principal])  # fmt: skip
        truth[name] = {"ec2-endpoint-service-not-public"} if broken else set()
    return truth
