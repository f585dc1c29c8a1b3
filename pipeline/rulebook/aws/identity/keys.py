"""Condition keys: which values a request can have that is made with stolen credentials.

A condition of an Allow is a limit only if no such request fulfils it; one of a Deny only if every such request does.
Sources: the IAM User Guide's pages on global condition keys and on condition operators."""

from collections.abc import Mapping
from typing import NamedTuple

MFA = "aws:multifactorauthpresent"
GLOBAL_REGIONS = ("us-east-1", "cn-north-1", "us-gov-west-1")
"""Where the endpoints of services without regions are."""
GLOBAL_SERVICES = {"iam", "organizations", "account", "cloudfront", "route53", "waf", "shield"}
ADMINISTRATORS = ("AdministratorAccess", "IAMFullAccess")
"""Policies of AWS that lead to every right: who may attach one of them is not limited by a condition on the other."""
CHINESE = {"ec2.amazonaws.com", "elasticmapreduce.amazonaws.com"}
"""Services to which roles are passed under another name in China."""
CREATES = ("create", "run", "register", "request")
"""First words of actions that take tags in their request."""


class Holder(NamedTuple):
    """Who has the policies."""

    account: str
    arn: str = ""
    """"" where it is not known, as for a policy that anybody may be given."""
    now: int = 0
    """Microseconds since 1970."""
    others: tuple[str, ...] = ()
    """ARNs of what is his too: groups that he is in, policies that he has."""

    @property
    def kind(self) -> str:
        """user, role, group or policy; "" where it is not known."""
        return kind_of(self.arn)

    @property
    def partition(self) -> str:
        return self.arn.split(":")[1] if self.arn.startswith("arn:") else "aws"

    @property
    def name(self) -> str:
        return self.arn.rsplit("/", 1)[-1]


def kind_of(arn: str) -> str:
    """What of IAM's an ARN names: user, role, group, policy; "" where it is none."""
    return arn.split(":")[5].split("/")[0] if ":iam:" in arn and arn.count(":") == 5 else ""


class Values(NamedTuple):
    """What a request can have for a key."""

    known: tuple[str, ...] = ()
    free: bool = False
    """The caller writes what he likes."""
    missing: bool = False
    """The key may be missing."""
    present: bool = True
    """The key may be there. With no known value and not free, it has some value that nobody knows."""

    @property
    def sure(self) -> bool:
        """Whether it is known that requests can have the key."""
        return self.present and (bool(self.known) or self.free or not self.missing)


FREE = Values(free=True)
CHOSEN = Values(free=True, missing=True)
NEVER = Values(missing=True, present=False)
UNKNOWN = Values()
PERHAPS = Values(missing=True)
ELSEWHERE = Values(known=("elsewhere",), missing=True)
"""A network that is not the owner's."""


class Request(NamedTuple):
    """What a condition is asked about."""

    action: str
    """In small letters; `*` for every action at once."""
    service: str = ""
    """To which a role is passed."""


def _only(*values: str, missing: bool = False) -> Values:
    return Values(known=values, missing=missing)


KEYS: Mapping[str, Values] = {
    "aws:securetransport": _only("true"),
    "aws:principalisawsservice": _only("false"),
    "aws:viaawsservice": _only("false"),
    MFA: _only("false", missing=True),
    "aws:multifactorauthage": NEVER,
    "aws:calledvia": NEVER, "aws:calledviafirst": NEVER, "aws:calledvialast": NEVER, "kms:viaservice": NEVER,
    "aws:sourcearn": NEVER, "aws:sourceaccount": NEVER, "aws:sourceowner": NEVER,
    "aws:sourceorgid": NEVER, "aws:sourceorgpaths": NEVER,
    "aws:principalservicename": NEVER, "aws:principalservicenameslist": NEVER,
    "aws:sourcevpc": ELSEWHERE, "aws:sourcevpce": ELSEWHERE, "aws:sourcevpcarn": ELSEWHERE, "aws:vpceaccount": ELSEWHERE,
    "aws:vpceorgid": ELSEWHERE, "aws:vpceorgpaths": ELSEWHERE,
    "aws:vpcsourceip": CHOSEN,
    "aws:useragent": CHOSEN, "aws:referer": CHOSEN,
    "sts:externalid": CHOSEN, "sts:rolesessionname": FREE, "sts:sourceidentity": CHOSEN, "sts:transitivetagkeys": CHOSEN,
    "aws:principalorgid": FREE, "aws:principalorgpaths": FREE, "aws:resourceorgid": FREE, "aws:resourceorgpaths": FREE,
    "ec2:instancetype": CHOSEN, "ec2:tenancy": CHOSEN, "ec2:ebsoptimized": CHOSEN, "ec2:instancemarkettype": CHOSEN,
    "ec2:metadatahttptokens": CHOSEN, "ec2:metadatahttpendpoint": CHOSEN, "ec2:region": CHOSEN, "ec2:availabilityzone": CHOSEN,
    "ec2:encrypted": CHOSEN, "ec2:volumetype": CHOSEN, "ec2:volumesize": CHOSEN, "ec2:createaction": CHOSEN,
    "lambda:functionurlauthtype": CHOSEN, "lambda:principal": CHOSEN,
    "cloudformation:templateurl": CHOSEN, "cloudformation:resourcetypes": CHOSEN, "cloudformation:changesetname": CHOSEN,
    "codebuild:source": CHOSEN, "glue:roleassumedby": FREE,
    "sagemaker:instancetypes": CHOSEN, "sagemaker:rootaccess": CHOSEN, "sagemaker:directinternetaccess": CHOSEN,
    "ecs:enable-execute-command": CHOSEN, "ecs:task-cpu": CHOSEN, "ecs:task-memory": CHOSEN, "ecs:compute-compatibility": CHOSEN,
    "ssm:sessiondocumentaccesscheck": CHOSEN,
} | dict.fromkeys((
    "ec2:imageid", "ec2:imagetype", "ec2:vpc", "ec2:subnet", "ec2:launchtemplate", "ec2:islaunchtemplateresource", "ec2:keypairname",
    "ec2:keypairtype", "ec2:placementgroup", "ec2:associatepublicipaddress", "ec2:metadatahttpputresponsehoplimit", "ec2:rootdevicetype",
    "ec2:owner", "ec2:public", "autoscaling:imageid", "autoscaling:instancetype", "autoscaling:instancetypes", "autoscaling:maxsize",
    "autoscaling:minsize", "autoscaling:launchconfigurationname", "autoscaling:launchtemplateversionspecified",
    "autoscaling:vpczoneidentifiers", "batch:image", "batch:user", "batch:privileged", "batch:logdriver", "cloudformation:targetregion",
    "cloudformation:createaction", "cloudformation:stackpolicyurl", "ecs:cluster", "ecs:service", "ecs:capacity-provider",
    "ecs:container-instances", "glue:vpcids", "glue:subnetids", "glue:securitygroupids", "lambda:layer", "lambda:vpcids",
    "lambda:subnetids", "lambda:securitygroupids", "lambda:functionarn", "sagemaker:vpcsubnets", "sagemaker:vpcsecuritygroupids",
    "sagemaker:volumekmskey", "sagemaker:outputkmskey", "sagemaker:networkisolation",
), CHOSEN)  # fmt: skip
"""Those whose values hang on nobody. CHOSEN ones are the request's own parameters: who has the right picks a value that
the condition takes."""
ASSOCIATED = "iam:associatedresourcearn"
PASSES = "iam:passrole"
TIMES = {"aws:currenttime", "aws:epochtime", "aws:tokenissuetime"}
"""Keys that hold a time."""
ATTACHES = {
    f"iam:{verb}{kind}policy" for verb in ("attach", "detach") for kind in ("user", "role", "group")
}
"""Actions whose requests name a policy."""
OWNERS = {key.split(":")[0] for key in KEYS} - {"aws"}
"""Services whose keys only their own requests have."""
RESOURCES_OF = {"ecs-tasks": "ecs", "spotfleet": "ec2", "airflow-env": "airflow"}
"""Whose resources a role is passed to, where the name of the service's principal does not say it."""


def values(key: str, holder: Holder, asked: Request) -> Values:
    """What a request of the holder's credentials can have for a key (in small letters); NEVER for one of another service's
    requests, or of other actions."""
    if key in KEYS:
        owner = key.split(":")[0]
        return KEYS[key] if owner not in OWNERS or asked.action.startswith(f"{owner}:") else NEVER
    if key in ("aws:principalaccount", "aws:resourceaccount", "kms:calleraccount"):
        return _only(holder.account)
    if key == ASSOCIATED:
        return CHOSEN if asked.service and asked.action == PASSES else NEVER
    if key in TIMES - {"aws:tokenissuetime"}:
        return _only(str(holder.now))
    if key in TIMES:
        return _only(str(holder.now), missing=holder.kind != "role")  # a user can ask for a session
    if key == "iam:passedtoservice":
        return _passed(holder, asked.service) if asked.action == PASSES else NEVER
    if key == "iam:policyarn":
        if asked.action not in ATTACHES:
            return NEVER
        return _only(*(f"arn:{holder.partition}:iam::aws:policy/{one}" for one in ADMINISTRATORS))
    if key == "aws:requestedregion":
        return _region(asked)
    if key == "aws:tagkeys" or key.startswith("aws:requesttag/"):
        return CHOSEN if asked.action.partition(":")[2].startswith(CREATES) else NEVER
    return _who(key, holder)


def _passed(holder: Holder, service: str) -> Values:
    """To which service a role can be passed, by all of its names."""
    if not service:
        return UNKNOWN
    chinese = holder.partition == "aws-cn" and service in CHINESE
    return _only(service, *[f"{service}.cn"] * chinese)


def _region(asked: Request) -> Values:
    if asked.action == "*":
        return UNKNOWN  # no region is every action's
    return _only(*GLOBAL_REGIONS) if asked.action.split(":")[0] in GLOBAL_SERVICES else FREE


def _who(key: str, holder: Holder) -> Values:
    """Of keys that say who asks; PERHAPS for all others, the caller's tags among them."""
    user, role = holder.kind == "user", holder.kind == "role"
    if key == "aws:principalarn":
        return _only(holder.arn) if user or role else _only(*_principals(holder))
    if key == "aws:userid":
        return UNKNOWN
    if key == "aws:username":
        known = {"user": _only(holder.name), "role": NEVER, "group": UNKNOWN}
        return known.get(holder.kind, PERHAPS)
    if key == "aws:principaltype":
        return _only(*["User"] * (not role), *["AssumedRole"] * (not user))
    return PERHAPS


def _principals(holder: Holder) -> list[str]:
    """Patterns of those who can have a policy, or the rights of a group."""
    kinds = ["user"] if holder.kind == "group" else ["user", "role"]
    return [f"arn:{holder.partition}:iam::{holder.account}:{kind}/?*" for kind in kinds]
