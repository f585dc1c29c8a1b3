"""Rules against the past: what would have opened, when, and what the present version says."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.records import tape
from tests.core.world import RULE, UID, gone, key, minute, write_rules
from tests.shells.command import Command

OTHER, THIRD = UID[:-1] + "2", UID[:-1] + "3"


@pytest.fixture
def here(driftline: Command, tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    write_rules(tmp_path / "rules")
    (tmp_path / "driftline.yaml").write_text("rules: {builtin: false, paths: [rules]}\n")
    (tmp_path / "next").mkdir()
    return tmp_path


def proposed(here: Path, id: str, must: str) -> None:
    text = RULE.format(id=id, title="as it might be", severity="high", part="key", must=must, more="",
                       path="config.key.Enabled")  # fmt: skip
    (here / "next" / f"{id}.yaml").write_text(text)


def recorded(here: Path, seed: int = 0) -> Path:
    """One key goes off and on, one is off and then gone, one is always good; the same in any order and files."""
    read = [
        key(0), key(10, enabled=False), key(20), key(30, enabled=False),
        key(0, enabled=False, uid=OTHER), gone(40, uid=OTHER), key(0, uid=THIRD), key(60, uid=THIRD),
    ]  # fmt: skip
    lines: list[tuple[str, str, Any]] = [
        ("snapshots", one["captured_at"], [one])
        for one in (s.model_dump(mode="json", exclude_none=True) for s in read)
    ]
    lines.append(
        ("control", "", {"tick": {"source": "sweep", "watermark": minute(60).isoformat()}})
    )
    folder = here / f"tapes{seed}"
    folder.mkdir()
    if seed:
        random.Random(seed).shuffle(lines)
    for number in range(3 if seed else 1):
        tape.write(
            folder / f"{number}.ndjson.gz", lines[number::3] + lines[:number] if seed else lines
        )
    return folder


def test_what_would_have_opened(driftline: Command, here: Path) -> None:
    proposed(here, "t-patient", "resource.config.key.Enabled")  # without its `for: 10m`
    proposed(here, "t-new", "resource.config.key.Enabled")
    told = driftline("backtest", "--rules", "next", "--tape", recorded(here), "--format", "json")
    assert told.code == 0, told.err
    found = json.loads(told.out)["rules"]
    assert found.keys() == {"t-patient", "t-new"}
    new = found["t-new"]
    assert (new["opened"], new["resources"], new["open_at_end"], new["judged"]) == (3, 2, 1, 3)
    assert (new["first"], new["last"]) == (
        "2026-01-01T00:00:00.000000Z",
        "2026-01-01T00:30:00.000000Z",
    )
    assert new["days"] == {"2026-01-01": 3}
    assert (new["present"], new["only_new"], new["more"], new["fewer"]) == (None, [], 2, 0)
    changed = found["t-patient"]
    assert changed["opened"] == 3
    assert (changed["present"]["opened"], changed["present"]["resources"]) == (3, 2)
    table = driftline("backtest", "--rules", "next", "--tape", here / "tapes0")
    assert "t-new" in table.out
    assert "none" in table.out


def test_a_difference_names_its_resources(driftline: Command, here: Path) -> None:
    proposed(here, "t-rotation", "resource.config.key.Enabled")
    folder = recorded(here)
    found = json.loads(
        driftline("backtest", "--rules", "next", "--tape", folder, "--format", "json").out
    )["rules"]
    one = found["t-rotation"]
    assert one["present"]["opened"] == 0
    assert (one["only_new"], one["only_present"]) == ([UID, OTHER], [])
    assert (one["more"], one["fewer"]) == (2, 0)


def test_the_same_however_the_tape_is_cut(driftline: Command, here: Path) -> None:
    proposed(here, "t-new", "resource.config.key.Enabled")
    said = {
        driftline(
            "backtest", "--rules", "next", "--tape", recorded(here, seed), "--format", "json"
        ).out
        for seed in range(5)
    }
    assert len(said) == 1


def test_mistakes(driftline: Command, here: Path) -> None:
    folder = recorded(here)
    for words, problem in [
        (("--rules", "next"), "--rules with --tape"),
        (
            ("--rules", "next", "--tape", folder, "--detections", "x"),
            "use one of these combinations",
        ),
        (("--rules", "next", "--tape", folder), "contains no rules"),
    ]:
        said = driftline("backtest", *words)
        assert (said.code, problem in said.err) == (2, True), said.err
    proposed(here, "t-new", "resource.config.key.Enabled")
    (folder / "bad.ndjson").write_text("{}\n")
    said = driftline("backtest", "--rules", "next", "--tape", folder)
    assert (said.code, "not read:" in said.err) == (3, True)
