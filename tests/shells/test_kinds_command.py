"""`driftline kinds`: a proposal is a row that loads and whose paths exist; what cannot be told is asked for."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from driftline.collectors.aws import row_check
from driftline.collectors.aws.events.claims import SOURCES
from driftline.collectors.aws.proposal import files as kind_files
from driftline.collectors.aws.proposal.row import propose
from driftline.collectors.aws.row import Kind, kinds
from tests.shells.command import Command

ROOT = Path(__file__).parents[2]
TYPES = [
    "AWS::Scheduler::ScheduleGroup", "AWS::KinesisVideo::Stream", "AWS::CodeCommit::Repository", "AWS::Glacier::Vault", "AWS::FSx::FileSystem",
    "AWS::Transfer::Server", "AWS::DS::Directory", "AWS::WorkSpaces::Workspace", "AWS::MQ::Broker", "AWS::Kinesis::StreamConsumer",
]  # fmt: skip
LISTS = {"AWS::Kinesis::StreamConsumer": "ListStreamConsumers"}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of the files that a proposal is written into."""
    for name in ("collectors/aws/kinds", kind_files.CONSOLES, kind_files.UNCLAIMED):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        copy: Any = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    monkeypatch.setattr(kind_files, "checkout", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize("type_", TYPES)
def test_a_proposal_loads_and_its_paths_exist(type_: str, tree: Path) -> None:
    made = propose(type_, None, LISTS.get(type_))
    kind = Kind.model_validate(made.row)
    if (
        type_ not in LISTS
    ):  # a list that is asked for under a parent: its parameter is the developer's to fill
        assert list(row_check.told(kind)) == []
    assert kind.events
    assert made.claimed == {name for touch in kind.events for _, name in touch.names()}
    assert not made.claimed & set(made.unclaimed)
    before = yaml.safe_load((ROOT / kind_files.UNCLAIMED).read_text())
    kind_files.write(made, tree)
    assert kinds(tree / "collectors/aws/kinds")[type_] == kind
    assert f"\n  {type_}:\n" in (tree / kind_files.CONSOLES).read_text()
    console = yaml.safe_load((tree / kind_files.CONSOLES).read_text())["types"]
    assert list(console) == sorted(console)
    after = yaml.safe_load((tree / kind_files.UNCLAIMED).read_text())
    listed = {name for names in after[made.source].values() for name in names}
    assert not listed & made.claimed
    if made.source not in {SOURCES.get(kind.service, kind.service) for kind in kinds().values()}:
        assert listed == set(made.unclaimed)
    assert {k: v for k, v in after.items() if k != made.source} == {k: v for k, v in before.items() if k != made.source}  # fmt: skip


def test_new_says_what_it_wrote_and_what_is_next(driftline: Command, tree: Path) -> None:
    said = driftline("kinds", "new", "AWS::Scheduler::ScheduleGroup")
    assert (said.code, said.err) == (0, "")
    first, *_, last = said.out.splitlines()
    assert first == "collectors/aws/kinds/scheduler.yaml"
    assert (
        last
        == "4 operations of scheduler claimed, 3 not. Edit the row, then run: driftline kinds check AWS::Scheduler::ScheduleGroup"
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["new", "AWS::SQS::Queue"], "this type already has a row"),
        (["new", "Queue"], "expected CloudFormation's name, AWS::Service::Thing"),
        (["new", "AWS::Nowhere::Thing"], "(use --service NAME)"),
        (["new", "AWS::Scheduler::Group"], "(--list ListScheduleGroups | ListSchedules)"),
        (["new", "AWS::Scheduler::Group", "--list", "ListGroups"], "has no such operation"),
        (["new", "AWS::Scheduler::Group", "--list", "GetSchedule"], "its response contains no list"),
        (["new", "AWS::X::Thing", "--service", "schedular"], "unknown to botocore (did you mean 'scheduler'?)"),
        (["check", "AWS::SQS::Kueue"], "did you mean 'AWS::SQS::Queue'"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_is_asked_for(driftline: Command, tree: Path, words: list[str], told: str) -> None:  # fmt: skip
    said = driftline("kinds", *words)
    assert (said.code, said.out) == (2, "")
    assert told in said.err


def test_without_a_checkout_it_says_so(driftline: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kind_files, "UNCLAIMED", "tests/not/there.yaml")
    said = driftline("kinds", "new", "AWS::Scheduler::ScheduleGroup")
    assert (said.code, "run it from a checkout" in said.err) == (2, True)


def test_check_tells_the_place_of_a_wrong_path(driftline: Command, monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    said = driftline("kinds", "check", "AWS::MemoryDB::Cluster")
    assert (said.code, said.out) == (0, "1 row, 0 problems\n")
    row = kinds()["AWS::EC2::Volume"]
    assert row.tags
    wrong = row.model_copy(update={"tags": row.tags.model_copy(update={"item": "item.Tag"})})
    monkeypatch.setattr("driftline.collectors.aws.row.kinds", lambda: {row.type: wrong})
    said = driftline("kinds", "check")
    assert said.code == 1
    assert said.out.startswith(
        "AWS::EC2::Volume tags.item: 'item.Tag': no field 'Tag' (did you mean 'Tags'?)\n"
    )
