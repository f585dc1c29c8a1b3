"""What does not matter changes no verdict, and more rights are never fewer."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from driftline.pipeline.rulebook.aws.identity import judges
from driftline.pipeline.rulebook.aws.identity.keys import Holder
from driftline.pipeline.rulebook.aws.identity.subject import Subject

OWN = "111111111111"
USER = Holder(OWN, f"arn:aws:iam::{OWN}:user/ann", 1_790_000_000_000_000)
JUDGES = (judges.is_admin, judges.holds_iam, judges.escalates, judges.runs_code, judges.decrypts_everything)  # fmt: skip
ACTIONS = [
    "*", "?*", "iam:*", "iam:Put*", "iam:PutUserPolicy", "iam:PassRole", "iam:CreateAccessKey", "sts:AssumeRole", "ec2:*",
    "ec2:RunInstances", "lambda:*", "lambda:UpdateFunctionCode", "lambda:CreateFunction", "lambda:InvokeFunction", "kms:Decrypt",
    "ssm:SendCommand", "s3:GetObject", "s3:*", "[a-z]*", "a*", "sso:*",
]  # fmt: skip
RESOURCES = [
    "*", "arn:aws:iam::*:role/*", f"arn:aws:iam::{OWN}:user/*", f"arn:aws:iam::{OWN}:user/ann", "arn:aws:iam::*:user/${aws:username}",
    f"arn:aws:lambda:eu-west-1:{OWN}:function:*", f"arn:aws:iam::{OWN}:role/app", "arn:aws:s3:::example/*",
]  # fmt: skip
CONDITIONS: list[dict[str, Any]] = [
    {}, {"Bool": {"aws:SecureTransport": "true"}}, {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}, {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
    {"StringLike": {"aws:PrincipalArn": "*"}}, {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24"]}},
    {"ArnNotEquals": {"aws:PrincipalArn": f"arn:aws:iam::{OWN}:user/ann"}},
    {"StringEquals": {"aws:RequestedRegion": ["eu-west-1"], "aws:PrincipalAccount": OWN}},
]  # fmt: skip
some = st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=3)
where = st.lists(st.sampled_from(RESOURCES), min_size=1, max_size=2)


@st.composite
def statement(draw: st.DrawFn, effect: str | None = None) -> dict[str, Any]:
    named = draw(st.sampled_from(["Action", "Action", "Action", "NotAction"]))
    placed = draw(st.sampled_from(["Resource", "Resource", "Resource", "NotResource"]))
    return {
        "Effect": effect or draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        named: draw(some),
        placed: draw(where),
        "Condition": draw(st.sampled_from(CONDITIONS)),
    }


policy = st.lists(statement(), min_size=1, max_size=5)


def verdicts(*documents: list[dict[str, Any]]) -> list[bool]:
    found = Subject(documents={str(n): {"Statement": one} for n, one in enumerate(documents)})
    return [judge(found, USER) is not None for judge in JUDGES]


IRRELEVANT = st.sampled_from([
    {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"},
    {"Effect": "Allow", "Action": "cloudwatch:Get*", "Resource": "arn:aws:cloudwatch:*:*:alarm:x"},
    {"Effect": "Deny", "Action": "s3:DeleteBucket", "Resource": "arn:aws:s3:::other"},
    {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    {"Effect": "Deny", "Action": "iam:*", "Resource": "arn:aws:iam::222222222222:user/x"},
])  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(policy, IRRELEVANT, st.randoms())
def test_what_does_not_matter_changes_nothing(found: Any, more: Any, random: Any) -> None:
    wanted = verdicts(found)
    shuffled = [*found, more]
    random.shuffle(shuffled)
    assert verdicts(shuffled) == wanted
    assert verdicts(*([one] for one in shuffled)) == wanted  # a policy each


@settings(max_examples=150, deadline=None)
@given(policy)
def test_spelling_changes_nothing(found: Any) -> None:
    def odd(one: dict[str, Any]) -> dict[str, Any]:
        spelled = {k: [str(v).swapcase() for v in vs] if k.endswith("Action") else vs for k, vs in one.items()}  # fmt: skip
        condition = {op.upper(): {key.swapcase(): v for key, v in pairs.items()} for op, pairs in one["Condition"].items()}  # fmt: skip
        return spelled | {"Condition": condition}

    assert verdicts([odd(one) for one in found]) == verdicts(found)
    stars = [{k: [v.replace("*", "**") for v in vs] if k.endswith("Action") else vs for k, vs in one.items()} for one in found]  # fmt: skip
    assert verdicts(stars) == verdicts(found)


@settings(max_examples=150, deadline=None)
@given(policy)
def test_splitting_changes_nothing(found: Any) -> None:
    split = [
        one | {"Action": action, "Resource": resource}
        for one in found
        if "Action" in one and "Resource" in one
        for action in one["Action"]
        for resource in one["Resource"]
    ]
    whole = [one for one in found if "NotAction" in one or "NotResource" in one]
    assert verdicts(split, whole) == verdicts(found)


@settings(max_examples=200, deadline=None)
@given(policy, statement("Allow"))
@example(
    found=[
        {
            "Effect": "Allow",
            "Action": ["*"],
            "Resource": ["arn:aws:iam::*:role/*"],
            "Condition": {},
        },
        {
            "Effect": "Allow",
            "Action": ["*"],
            "NotResource": ["arn:aws:iam::*:role/*"],
            "Condition": {},
        },
    ],
    more={"Effect": "Allow", "Action": ["*"], "NotResource": ["*"], "Condition": {}},
)
def test_more_rights_are_never_fewer(found: Any, more: Any) -> None:
    before, after = verdicts(found), verdicts([*found, more])
    assert [b for b, a in zip(before, after, strict=True) if b and not a] == []


@settings(max_examples=100, deadline=None)
@given(policy, statement("Deny"))
def test_a_denial_gives_nothing(found: Any, wall: Any) -> None:
    before, after = verdicts(found), verdicts([*found, wall])
    assert [a for b, a in zip(before, after, strict=True) if a and not b] == []
