"""docs/escalation.md: the ways from some rights to more that the IAM rules know."""

from collections.abc import Iterator

from driftline.pipeline.reference import codes, page, table
from driftline.pipeline.rulebook.aws.identity.ways import EscalationPath, ways

SOURCES = {
    "pathfinding": "pathfinding.cloud: <https://pathfinding.cloud>",
    "rhino": "Rhino Security Labs: <https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation/>",
    "bishopfox": "Bishop Fox, iam-vulnerable: <https://github.com/BishopFox/iam-vulnerable>",
    "hackingthecloud": "Hacking the Cloud: <https://hackingthe.cloud/aws/exploitation/iam_privilege_escalation/>",
    "hacktricks": "HackTricks Cloud: <https://cloud.hacktricks.wiki/en/pentesting-security/aws-security/aws-privilege-escalation/index.html>",
    "aws": "the guide of the AWS service",
}
INTRO = """
The ways from some rights to more that the rules about IAM policies, users, groups and roles know
(`pipeline/rulebook/aws/identity/ways.yaml`).

**What counts.** All policies of an identity are judged together: inline ones, attached ones, those of a user's groups, and
what a permissions boundary leaves of them. An action counts where an Allow reaches *every* resource of its kind (every user,
every role, every function), or the identity itself (`user/${aws:username}`, its own ARN or a pattern that covers it), or,
for an action that makes something, any resource at all. A policy that names some functions or roles is no finding: what they
hold, it does not say. `iam:PassRole` counts only beside an action of a service that the role may be passed to.

**What is a limit.** A condition counts as a limit if nobody can fulfil it who holds the credentials and nothing else: a second
factor, a network that is not a large part of the internet, another service's doing (`kms:ViaService`), a tag,
one region (for what is not of IAM: none). It is none if every request fulfils it (`aws:SecureTransport`, the account's own
`aws:PrincipalAccount`, `StringLike: "*"`), if the caller chooses the value (`sts:ExternalId`, `aws:UserAgent`, tags of what is
made, the image, network or size of what is started), if the resource is his own to make (`iam:AssociatedResourceARN` of the
service that the role is passed to; one instance's own id is a limit), or if it holds where the key is missing (`…IfExists`, `ForAllValues`, `Null`, negations).
A key is missing where AWS does not send it: `ec2:InstanceType` outside EC2, `iam:PassedToService` outside `iam:PassRole`,
`iam:PolicyARN` outside attaching and detaching. A Deny counts where no such caller can escape it.

**Tags.** A condition on a tag of the caller or of the resource (`aws:PrincipalTag/…`, `aws:ResourceTag/…`) counts as a limit,
whatever its value, on an Allow for everything too: which identities and resources have the tag is not looked up. So an
identity that has the tag, or may tag itself (`iam:TagUser`, `iam:TagRole`, session tags), can have more rights than the
verdict says. Where tags guard rights like these, restrict who sets them.

**Permission sets.** Policies of Identity Center's permission sets are not read as such. In each account they are the policies
of a role under `/aws-reserved/sso.amazonaws.com/`, which the rules about roles leave out.

**Severity.** *High*: the rights follow from the policy alone. *Medium*: something must exist that has them; the column says what.

**Not told.** `iam:PassRole` with `datapipeline:CreatePipeline` alone, which some lists have: a pipeline without
`datapipeline:PutPipelineDefinition` has no role and runs nothing. `iam:DeactivateMFADevice` and `iam:CreateVirtualMFADevice`: they
weaken a login and give no rights. Secrets that can be read (`secretsmanager:GetSecretValue`), resource policies and KMS grants that can
be written: whose rights they give, no policy of the identity says. Service control policies are not read: they can only take away.
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
        page("Ways to more rights", "pipeline/rulebook/aws/identity/ways.yaml", INTRO, *blocks, "## Sources", sources),
    )  # fmt: skip


def _row(way: EscalationPath) -> tuple[str, ...]:
    actions = [*way.needs, *(["iam:PassRole"] if way.passes else [])]
    return way.title, codes(actions), way.exists, ", ".join(way.sources)
