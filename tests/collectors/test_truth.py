"""A scan of an account whose flaws are known: none is missed, and nothing else is called one."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from driftline.pipeline.cli import main
from driftline.pipeline.rulebook import load
from tests.collectors import truths
from tests.collectors.moto import Moto, running
from tests.collectors.truth import Truth, blocked_account
from tests.collectors.truth_data import build
from tests.collectors.truths import plain_secrets

SETTINGS = {
    "aws": {"requests_per_second": 1000, "regions": ["eu-west-1", "us-east-1"]},
    # nothing here is older than a minute: no age is allowed
    "rules": {"overrides": [{"rule": "aws-iam-user-access-key-rotated", "params": {"max_age_days": -1}}]},
}  # fmt: skip

SPINE = {
    "AWS::CloudTrail::Trail", "AWS::DynamoDB::Table", "AWS::EC2::EBSDefaults", "AWS::EC2::Instance", "AWS::EC2::SecurityGroup",
    "AWS::EC2::VPC", "AWS::EC2::Volume", "AWS::ECR::Repository", "AWS::IAM::AccountSummary", "AWS::IAM::Policy", "AWS::IAM::Role",
    "AWS::IAM::User", "AWS::KMS::Key", "AWS::Lambda::Function", "AWS::RDS::DBInstance", "AWS::S3::Bucket", "AWS::SNS::Topic",
    "AWS::SQS::Queue", "AWS::SecretsManager::Secret",
}  # fmt: skip
"""The types of tests.collectors.truth; other services have modules of their own."""
MANAGED = {"account", "ec2", "elb", "iam"}
"""The modules that attach policies of AWS's own."""


def scan(folder: Path, *more: str) -> dict[str, Any]:
    path = folder / "driftline.yaml"
    path.write_text(yaml.safe_dump(SETTINGS))
    path.chmod(0o600)
    result = CliRunner(env={"DRIFTLINE_CONFIG": str(path)}).invoke(
        main, ["scan", "aws", "--format", "json", *more], standalone_mode=False
    )
    assert result.return_value == 1, result.output[:2_000]
    found: dict[str, Any] = json.loads(result.stdout)
    return found


@pytest.fixture(scope="module")
def managed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """With the policies that AWS manages."""
    with running(tmp_path_factory.mktemp("managed"), managed=True) as moto:
        yield moto


@pytest.fixture
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Moto:
    """Where every AWS client of the test looks: with AWS's own policies where some are attached."""
    service = getattr(request.node, "callspec", None)
    plain = service is not None and service.params["service"] not in MANAGED
    moto: Moto = request.getfixturevalue("moto_server" if plain else "managed")
    for name, value in moto.env.items():
        monkeypatch.setenv(name, value)
    return moto


@pytest.fixture(scope="module")
def truth(managed: Moto) -> Truth:
    managed.begin_anew()
    return build(managed)


@pytest.mark.usefixtures("server")
def test_every_flaw_is_found_and_nothing_else(truth: Truth, tmp_path: Path) -> None:
    # moto's root user never has a key, nor a second factor; one account has one password policy
    never_failed = {"iam-root-no-access-keys"}
    never_passed = {"iam-root-mfa-enabled", "iam-password-policy-strong"}
    own = set().union(*truth.values(), never_failed)
    compare(truth, scan(tmp_path, *options("--type", SPINE)), own, never_failed, never_passed)


def test_the_accounts_own_block_mends_every_bucket(
    truth: Truth, server: Moto, tmp_path: Path
) -> None:
    mended = {f"aws-s3-bucket-{name}" for name in ("public-access-blocked", "policy-not-public", "acl-not-public")}  # fmt: skip
    with blocked_account(server):
        report = scan(tmp_path, "--type", "AWS::S3::Bucket")
    found = [f for f in report["findings"] if f["rule"]["id"] in mended]
    assert len(found) > 3 * 10
    assert {f["evaluation"] for f in found} == {"passed"}
    assert {f"aws-{rule}" for rules in truth.values() for rule in rules} >= mended


@pytest.mark.parametrize("service", [module.name for module in iter_modules(truths.__path__)])
def test_every_flaw_of_a_service_is_found_and_nothing_else(
    service: str, server: Moto, tmp_path: Path
) -> None:
    server.begin_anew()
    module = import_module(f"{truths.__name__}.{service}")
    truth = module.build(server)
    rules = {
        rule.id.removeprefix("aws-") for rule in load().rules if rule.file.type in module.TYPES
    }
    plain = {rule for rule in rules if "-no-secrets" in rule}
    rules = rules & (plain | plain_secrets.OLDER) if module is plain_secrets else rules - plain
    report = scan(tmp_path, *options("--type", module.TYPES))
    half: frozenset[str] = getattr(module, "HALF_ANSWERED", frozenset())
    compare(truth, report, rules, module.NEVER_FAILED, module.NEVER_PASSED, half)


def options(name: str, values: Iterable[str]) -> list[str]:
    return [text for value in sorted(values) for text in (name, value)]


def compare(
    truth: Truth,
    report: dict[str, Any],
    rules: set[str],
    never_failed: set[str],
    never_passed: set[str],
    half_answered: frozenset[str] = frozenset(),
) -> None:
    """Holds a scan against the truth, for some rules (ids without `aws-`). `half_answered`: types of which the simulated
    AWS leaves a part out that these rules do not need; one of `never_passed` may be unknown for it."""
    wanted = {(name, rule) for name, broken in truth.items() for rule in broken}
    found = [
        f | {"id": f["rule"]["id"].removeprefix("aws-"), "key": f["id"]}
        for f in report["findings"]
        if f["rule"]["id"].removeprefix("aws-") in rules
    ]

    def name(finding: dict[str, Any]) -> str:
        resource = finding["resource"]
        there = f"{resource['name']}@{resource['region']}", resource["uid"].rpartition("/")[2]
        return next((one for one in there if one in truth), str(resource["name"]))

    failed = {(name(f), f["id"]) for f in found if f["evaluation"] == "failed"}
    assert wanted - failed == set(), "missed"
    assert failed - wanted == set(), "falsely found"
    unknown = [f for f in found if f["evaluation"] == "unknown"]
    left_out = [f for f in unknown if f["id"] in never_passed and f["resource"]["type"] in half_answered]  # fmt: skip
    assert [(name(f), f["id"], f["reason"]) for f in unknown if f not in left_out] == []
    assert Counter(f["key"] for f in found).most_common(1)[0][1] == 1
    whole = [one for one in report["coverage"] if one["scope"]["type"] not in half_answered]
    assert {sweep["status"] for sweep in whole} == {"complete"}
    judged = {name(f) for f in found}
    assert {one for one in truth if one not in judged and truth[one]} == set()
    for evaluation, never in (("failed", never_failed), ("passed", never_passed)):
        seen = {f["id"] for f in found if f["evaluation"] == evaluation}
        assert rules - seen == never, f"never {evaluation}"
