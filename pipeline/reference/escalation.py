"""Generates docs/escalation.md: the privilege escalation paths that the IAM rules know."""

from collections.abc import Iterator

from driftline.pipeline.reference import codes, page, table
from driftline.pipeline.rulebook.aws.identity.ways import EscalationPath, ways

SOURCES = {
    "pathfinding": "pathfinding.cloud: <https://pathfinding.cloud>",
    "rhino": "Rhino Security Labs: <https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation/>",
    "bishopfox": "Bishop Fox, iam-vulnerable: <https://github.com/BishopFox/iam-vulnerable>",
    "hackingthecloud": "Hacking the Cloud: <https://hackingthe.cloud/aws/exploitation/iam_privilege_escalation/>",
    "hacktricks": "HackTricks Cloud: <https://cloud.hacktricks.wiki/en/pentesting-security/aws-security/aws-privilege-escalation/index.html>",
    "aws": "the documentation of the AWS service",
}
INTRO = """
The privilege escalation paths that the rules on IAM policies, users, groups and roles detect
(`pipeline/rulebook/aws/identity/ways.yaml`).

**What counts.** All policies of an identity are evaluated together: inline and attached policies, those of a user's groups, and the
permissions boundary that limits them. An action counts if an Allow applies to *every* resource of its kind (every user,
every role, every function), to the identity itself (`user/${aws:username}`, its own ARN or a pattern that matches it), or,
for an action that creates something, to any resource at all. A policy for specific functions or roles produces no finding, because it
does not show which permissions they have. `iam:PassRole` counts only together with an action of a service to which the role may be passed.

**What counts as a restriction.** A condition is a restriction if someone who holds only the credentials cannot satisfy it: a second
factor, a network that is not a large part of the internet, a call through another service (`kms:ViaService`), a tag,
a region (except for IAM, which is global). It is not a restriction if every request satisfies it (`aws:SecureTransport`, the account's own
`aws:PrincipalAccount`, `StringLike: "*"`), if the caller chooses the value (`sts:ExternalId`, `aws:UserAgent`, tags of what is
created, the image, network or size of what is started), if the caller can create the resource (`iam:AssociatedResourceARN` of the
service that the role is passed to; the id of one instance is a restriction), or if it is true when the key is missing (`…IfExists`, `ForAllValues`, `Null`, negations).
A key is missing if AWS does not send it: `ec2:InstanceType` outside EC2, `iam:PassedToService` outside `iam:PassRole`,
`iam:PolicyARN` outside attaching and detaching. `aws:PrincipalArn` with a pattern for every principal of the account is no restriction
in a policy that may be attached to any of them. Callers are assumed to come from the internet: a Deny on all of its addresses leaves nobody,
although requests through a VPC endpoint have no `aws:SourceIp` (use `aws:SourceVpce` for those).

**What counts as a Deny.** A Deny counts if no such caller can avoid it. It must cover the resources in question: a Deny on every resource
of a kind that the action requires (every function, every instance) denies the action. The required kinds are those of AWS's Service
Authorization Reference.

**Tags.** A condition on a tag of the caller or of the resource (`aws:PrincipalTag/…`, `aws:ResourceTag/…`) counts as a restriction
whatever its value, even on an Allow for everything: which identities and resources have the tag is not looked up. Therefore an
identity that has the tag, or may tag itself (`iam:TagUser`, `iam:TagRole`, session tags), can have more permissions than the
verdict says. If you protect such permissions with tags, restrict who may set them.

**Permission sets.** Policies of Identity Center permission sets are not read as such. In each account they are the policies
of a role under `/aws-reserved/sso.amazonaws.com/`, which the rules on roles skip.

**Severity.** *High*: the permissions follow from the policy alone. *Medium*: something that has them must exist; the column says what.

**Not reported.** `iam:PassRole` with only `datapipeline:CreatePipeline`, which some lists include: a pipeline without
`datapipeline:PutPipelineDefinition` has no role and runs nothing. `iam:DeactivateMFADevice` and `iam:CreateVirtualMFADevice`: they
weaken a login but grant nothing. Secrets that can be read (`secretsmanager:GetSecretValue`), and resource policies and KMS grants that can
be written: the identity's policies do not show whose permissions these give. Service control policies are not read: they can only restrict.
"""


def pages() -> Iterator[tuple[str, str]]:
    """The page."""
    blocks = []
    for severity, rule in (
        ("high", "no-privilege-escalation"),
        ("medium", "no-code-as-other-roles"),
    ):
        rows = [_row(way) for way in ways() if way.severity == severity]
        head = ("who holds it can …", "actions", "what must exist", "published by")
        blocks += [f"## {severity.capitalize()}: `aws-iam-*-{rule}`", table(head, rows)]
    sources = "\n".join(f"- {name}: {said}" for name, said in SOURCES.items())
    yield (
        "docs/escalation.md",
        page("Privilege escalation", "pipeline/rulebook/aws/identity/ways.yaml", INTRO, *blocks, "## Sources", sources),
    )  # fmt: skip


def _row(way: EscalationPath) -> tuple[str, ...]:
    actions = [*way.needs, *(["iam:PassRole"] if way.passes else [])]
    return way.title, codes(actions), way.exists, ", ".join(way.sources)
