"""Faults that somebody has shown, each with the smallest input that showed it (case folders beside the repository, or in
TEST_CASES): one function a case, through public commands or the functions that its `right.json` names."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from driftline.collectors.aws.events.names import NoNames
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.aws.terraform import read
from driftline.collectors.declared import DeclaredResources
from driftline.collectors.redact import Redactor
from driftline.pipeline.assess.decisions.baselines import differences
from driftline.pipeline.compare.diff import Hints, diff
from driftline.pipeline.providers.aws.canonical import CANONICAL, canonical_policy
from driftline.pipeline.rulebook import BoundRule
from driftline.pipeline.rulebook import load as rulebook
from driftline.pipeline.rulebook.ruleset import answer
from tests.collectors.moto import running
from tests.shells.command import Command

FOLDER = Path(os.environ.get("TEST_CASES") or Path(__file__).parents[2] / "shared/cases")
if not FOLDER.is_dir():
    pytest.skip(f"no cases: {FOLDER} is not there", allow_module_level=True)

Case = Callable[[Path, Command], None]
CASES: dict[str, Case] = {}


def case(number: str) -> Callable[[Case], Case]:
    def add(function: Case) -> Case:
        CASES[number] = function
        return function

    return add


@pytest.fixture
def driftline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """The command line in an empty folder, with nobody's settings."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("AWS_", "DRIFTLINE_"))]:
        monkeypatch.delenv(name)
    return Command(monkeypatch, capsys)


def loaded(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def declared(folder: Path, **more: Any) -> DeclaredResources:
    return read(folder / "plan.json", "w", (), datetime(2026, 1, 1, tzinfo=UTC), **more)


def against(folder: Path, reality: str, uid: str | None = None, **more: Any) -> list[dict[str, Any]]:  # fmt: skip
    """How what is read differs from what one resource of the plan is declared as."""
    [record] = [one for one in declared(folder, **more).records if uid in (None, one.uid)]
    return list(differences(record.expect, loaded(folder / reality)))


def odd_record(folder: Path, driftline: Command) -> None:
    said = driftline("replay", "--cloudtrail", folder / "log.json", "--format", "json")
    found = json.loads(said.out)
    assert (said.code, said.err, found["problems"], found["dead"]) == (0, "", [], [])


case("01")(odd_record)
case("02")(odd_record)


@case("03")
def copy_of_a_trail_bucket(folder: Path, driftline: Command) -> None:
    said = driftline("backtest", "--detections", folder / "rules", "--cloudtrail", folder / "log", "--format", "json")  # fmt: skip
    found = json.loads(said.out)
    assert (said.code, found["events"], list(found["rules"].values()), found["problems"]) == (0, 1, [1], [])  # fmt: skip
    said = driftline("replay", "--cloudtrail", folder / "log")
    assert (said.code, said.err) == (0, "")


@case("04")
def two_identity_center_users(folder: Path, _: Command) -> None:
    reader = ChangeReader(Redactor(b"k" * 32), "log", NoNames())
    actors = [
        change.actor
        for one in loaded(folder / "log.json")["Records"]
        for change in reader.changes(one)
    ]
    store = "arn:aws:identitystore::123456789012:identitystore/d-1234567890"
    wanted = [f"{store}/user/{user}" for user in ("11111111-aaaa", "22222222-bbbb")]
    assert [one.id for one in actors] == [one.person.id for one in actors if one.person] == wanted
    assert {one.person.kind for one in actors if one.person} == {"directory_user"}


@case("05")
def bucket_in_another_partition(folder: Path, driftline: Command) -> None:
    said = driftline("baseline", "declare", "--plan", folder / "plan.json", "--workspace", "w", "--dry-run")  # fmt: skip
    assert said.code == 0
    assert "declared: arn:aws-us-gov:s3:::example-bucket" in said.out
    assert "arn:aws:s3" not in said.out


@case("07")
def protocols_without_ports(folder: Path, _: Command) -> None:
    assert against(folder, "reality.json") == []


@case("08")
def group_of_a_peer(folder: Path, _: Command) -> None:
    assert against(folder, "reality.json") == []


@case("09")
def groups_of_both_styles(folder: Path, _: Command) -> None:
    group = "arn:aws:ec2:eu-west-1:123456789012:security-group/sg-1"
    [change] = against(folder, "reality-opened.json", group)
    assert (change["op"], change["after"]["FromPort"]) == ("add", 3389)
    assert against(folder, "reality-as-declared.json", group, claims=True) == []
    assert "aws_security_group.h" in declared(folder).not_compared


@case("10")
def function_of_an_image(folder: Path, _: Command) -> None:
    assert against(folder, "reality.json") == []


@case("11")
def spellings_of_a_policy(folder: Path, _: Command) -> None:
    for pair in loaded(folder / "pairs.json"):
        assert canonical_policy(pair["before"]) == canonical_policy(pair["after"])
        assert diff("policy", pair["before"], pair["after"], Hints(policies=frozenset({"policy"}), canonical=CANONICAL)) == []  # fmt: skip


@case("12")
def names_of_a_function(folder: Path, _: Command) -> None:
    reader = ChangeReader(Redactor(b"k" * 32), "log", NoNames())
    uids = [one.uid for record in loaded(folder / "log.json")["Records"] for one in reader.changes(record)]  # fmt: skip
    assert uids == ["arn:aws:lambda:eu-west-1:123456789012:function:f"] * 4


@case("13")
def detection_of_reads_by_pattern(folder: Path, driftline: Command) -> None:
    words = ("--cloudtrail", folder / "log.json", "--detections", folder / "rules", "--format", "json", "--no-builtin")  # fmt: skip
    tested = json.loads(driftline("backtest", *words).out)
    replayed = json.loads(driftline("replay", *words).out)
    [rule] = tested["rules"]
    assert (tested["rules"][rule], tested["of_reads"]) == (1, {rule: 1})
    assert [one["rule"] for one in tested["alerts"]] == [rule]
    assert tested["alerts"] == replayed["alerts"]


@case("14")
def administrators_in_disguise(folder: Path, _: Command) -> None:
    rules = {rule.id: rule for rule in rulebook().rules}
    full, ways = (
        rules[f"aws-iam-policy-no-{what}"] for what in ("full-admin", "privilege-escalation")
    )
    for document in loaded(folder / "documents.json"):
        held = {"policy": {"AttachmentCount": 1}, "document": document}
        resource = {
            "uid": "arn:aws:iam::111111111111:policy/p",
            "account": "111111111111",
            "config": held,
        }
        said = [answer(BoundRule(rule, "high", {}), resource, 0) for rule in (full, ways)]
        assert said == ["failed", "not_applicable"]


@case("16")
def partial_plan(folder: Path, driftline: Command) -> None:
    words = ("baseline", "declare", "--plan", folder / "plan.json", "--workspace", "w", "--dry-run")
    said = driftline(*words)
    assert (said.code, "errored: true" in said.err, "--force" in said.err) == (2, True, True)
    forced = driftline(*words, "--force")
    assert (forced.code, "nothing ends" in forced.out) == (0, True)


@pytest.mark.parametrize("number", sorted(CASES))
def test_case(number: str, driftline: Command) -> None:
    [folder] = FOLDER.glob(f"{number}-*")
    CASES[number](folder, driftline)


@pytest.mark.live
@pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1"])
def test_case_06(
    region: str, driftline: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path) as moto:
        for name, value in moto.env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_DEFAULT_REGION", region)
        client = moto.client("organizations", region)
        client.create_organization(FeatureSet="ALL")
        client.create_account(Email="a@example.com", AccountName="a")
        said = driftline("scan", "aws", "--accounts", "all", "--type", "AWS::S3::Bucket", "--regions", region, "--format", "json")  # fmt: skip
    assert said.code in (0, 1)
    assert len({sweep["scope"]["account"] for sweep in json.loads(said.out)["coverage"]}) == 2
