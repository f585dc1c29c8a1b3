"""The sentence of a finding as it is stated: of whatever it says, and never a reason to say it."""

from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.rulebook import Rulebook, load
from driftline.pipeline.rulebook.wording.phrases import LONGEST
from tests.core.test_restatement import DAY, Watched
from tests.core.world import TYPE, denied, gone, key, rulebook, write_rules

GRANTS = {TYPE: {"rotation": ["kms:GetKeyRotationStatus"]}}


def told(world: Fold, rule: str = "t-rotation") -> str:
    found = [one for one in world.documents() if one["rule"]["id"] == rule]
    return str(found[-1]["sentence"])


@pytest.mark.parametrize(
    ("snapshots", "sentence"),
    [
        ([key(0)], "t-rotation: passed for 1"),
        ([key(0, rotation=False)], "t-rotation: failed for 1"),
        ([key(0, rotation=False), key(1)], "t-rotation: passed again for 1"),
        ([key(0), gone(1)], "t-rotation: no longer checked for 1 (the resource was deleted)"),
        ([key(0, rotation=None)], "t-rotation: unknown for 1 because its rotation has not been read yet"),
        (
            [key(0), denied(1)],
            "t-rotation: unknown for 1 because its rotation could not be read (access was denied, AccessDeniedException); "
            "an administrator of account 111111111111 can grant kms:GetKeyRotationStatus to the reader role",
        ),
    ],
)  # fmt: skip
def test_generated_sentences(snapshots: list[Any], sentence: str) -> None:
    world = Fold(rulebook(), AssessOptions(grants=GRANTS))
    for one in snapshots:
        world.snapshot(one)
    assert told(world) == sentence


def with_sentence(folder: Path, sentence: str) -> Rulebook:
    write_rules(folder)
    path = folder / "t-rotation.yaml"
    path.write_text(path.read_text().replace("\nwhy:", f"\nsentence: {sentence}\nwhy:"))
    return load([folder], builtin=False)


def test_a_failing_one_has_its_rules_own(tmp_path: Path) -> None:
    world = Fold(
        with_sentence(tmp_path, "Rotation is off for {resource} in {region}"), AssessOptions()
    )
    world.snapshot(key(0, rotation=False))
    assert told(world) == "Rotation is off for 1 in eu-west-1"
    assert told(world, "t-patient") == "t-patient: passed for 1"


def test_another_sentence_judges_nothing_anew(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = with_sentence(tmp_path / "a", "Off"), with_sentence(tmp_path / "b", "Also off")
    assert one.type_hash(TYPE) == other.type_hash(TYPE) == rulebook().type_hash(TYPE)
    assert one.hash == rulebook().hash


def test_words_are_never_a_reason_to_say_something(tmp_path: Path) -> None:
    """The same records under other sentences: the same statements, revisions and written states."""
    runs: list[Watched] = []
    for sentence in ("Off", "It is {region} at {resource}", None):
        folder = tmp_path / str(len(runs))
        folder.mkdir()
        watched = Watched()
        if sentence is not None:
            watched.partition = type(watched.partition)(
                0, watched.rows.get, with_sentence(folder, sentence), None
            )
        for day in range(9):
            watched.read(day * DAY, rotation=False)
            watched.tick(day * DAY + 60)
        runs.append(watched)
    first, *others = runs
    assert any(one["restated"] for one in first.whole)
    for other in others:
        assert other.rows == first.rows
        assert other.order == first.order
        assert other.small == first.small
        assert bare(other.whole) == bare(first.whole)
        assert other.whole != first.whole


def bare(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in one.items() if k != "sentence"} for one in findings]


def test_every_statement_has_one(tmp_path: Path) -> None:
    watched = Watched()
    for day in range(4):
        watched.read(day * DAY, rotation=day % 2 == 0)
    for one in watched.whole:
        assert one["sentence"]
        assert len(one["sentence"]) <= LONGEST
