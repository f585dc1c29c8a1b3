"""`driftline owners`, and the map of owners as people write it."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.kafka import stored_documents
from driftline.pipeline.settings.blocks import load_settings
from driftline.pipeline.settings.owner_files import owners_of, rows_of
from tests.core.world import TYPE, UID, World, gone, key
from tests.shells.command import Command

OTHER = "222222222222"
TAGS: dict[str, dict[str, Any]] = {
    "a": {"tags": {"owner": "bea@example.com"}}, "b": {}, "c": {"tags": {"Owner": "x", "OWNER": "y"}}, "d": {},
    "e": {"tags": {"owner": "gone@example.com"}},
}  # fmt: skip


def world() -> World:
    made = World(AssessOptions(owners=owners_of(load_settings(env={}).owners)))
    for name, more in TAGS.items():
        made.snapshot(key(0, False, uid=f"{UID}{name}", **more))
    made.snapshot(key(0, False, uid=f"{UID}f").model_copy(update={"account": OTHER}))
    made.snapshot(gone(5, f"{UID}d"))
    return made


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    path.write_bytes(orjson.dumps({"findings": list(world().documents())}))
    return path


def test_what_has_no_owner_is_counted_by_account_and_type(driftline: Command, report: Path) -> None:
    said = driftline("owners", "check", "--report", report, "--format", "json")
    assert said.code == 1
    assert orjson.loads(said.out) == {
        "resources": 5, "without_owner": 2, "owner_unknown": 1,
        "by_account_and_type": [
            {"account": "111111111111", "type": TYPE, "resources": 4, "without": 1, "unknown": 1},
            {"account": OTHER, "type": TYPE, "resources": 1, "without": 1, "unknown": 0},
        ],
        "owners": {"bea@example.com": 1, "gone@example.com": 1}, "departed": None,
    }  # fmt: skip
    assert "was not checked" in said.err


def test_its_table_fits_and_says_the_sum(driftline: Command, report: Path) -> None:
    said = driftline("owners", "check", "--report", report, "--limit", 1)
    assert max(map(len, said.out.splitlines())) <= 80
    assert "and 1 more row" in said.out
    assert "5 resources: 2 without owner (40.0 %), 1 whose owner is not known" in said.out


def test_owners_who_are_no_more_are_found(
    driftline: Command, report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "owners.txt"
    directory.write_text("# our people\nBea@Example.com   # in Berlin\n\n")
    monkeypatch.setenv("DRIFTLINE_OWNERS__KNOWN_FILE", str(directory))
    said = driftline("owners", "check", "--report", report, "--at-most", 60)
    assert said.code == 1
    assert "gone@example.com" in said.out
    assert "bea@example.com" not in said.out
    directory.write_text("bea@example.com\ngone@example.com\n")
    assert driftline("owners", "check", "--report", report, "--at-most", 60).code == 0
    assert driftline("owners", "check", "--report", report, "--at-most", 45).code == 3, "3 of 5 may be without"  # fmt: skip


def test_it_asks_a_store_as_findings_does(
    driftline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = list(world().documents())
    monkeypatch.setattr(stored_documents, "findings", lambda _, takes: [one for one in there if takes(one)])  # fmt: skip
    said = driftline("owners", "check", "--store", "kafka", "--format", "json")
    assert orjson.loads(said.out)["resources"] == 5
    monkeypatch.setattr(stored_documents, "findings", lambda _, __: [])
    assert driftline("owners", "check", "--store", "kafka").code == 3, "nothing is no proof"


def test_findings_of_one_owner_are_listed(
    driftline: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = list(world().documents())
    monkeypatch.setattr(stored_documents, "findings", lambda _, takes: [one for one in there if takes(one)])  # fmt: skip
    said = driftline("findings", "list", "--store", "kafka", "--owner", "Bea@Example.com", "--format", "csv")  # fmt: skip
    lines = said.out.splitlines()
    assert lines[0].endswith(",owner,owner_found_by")
    assert [line.endswith(",bea@example.com,tag") for line in lines[1:]] == [True]


def test_what_each_source_says_is_explained(
    driftline: Command, report: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLINE_OWNERS__MAP", f"[{{owner: keys, type: '{TYPE}'}}]")
    said = driftline("owners", "explain", f"{UID}a", "--report", report)
    assert said.code == 0
    assert [line.split() for line in said.out.splitlines() if line.startswith(("tag", "map", "fallback"))] == [
        ["tag", "bea@example.com"], ["map", "keys"], ["fallback", "says", "nothing"],
    ]  # fmt: skip
    assert "(tag)" in said.out.splitlines()[0] or "(tag)" in said.out.splitlines()[1]
    found = orjson.loads(driftline("owners", "explain", f"{UID}c", "--report", report, "--format", "json").out)  # fmt: skip
    assert found["owner"] == {"id": "", "found_by": "ambiguous"}
    assert driftline("owners", "explain", "nowhere", "--report", report).code == 3


MAP = """\
- owner: payments
  account: 111111111111
- owner: data
  folder: Workloads/Data
  tags: {tier: "1"}
"""


def test_a_map_is_read_from_a_file_between_rows_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(MAP)
    rows = f"[{{owner: first, resource: 'a*'}}, {{file: '{tmp_path}/map.yaml'}}, {{owner: last, account: '*'}}]"
    found, problems = rows_of(load_settings(env={"DRIFTLINE_OWNERS__MAP": rows}).owners.map)
    assert problems == []
    assert [(row.owner, row.account) for row in found] == [
        ("first", ""), ("payments", "111111111111"), ("data", ""), ("last", "*"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", ":1:1: expected a list of rows"),
        ("- x", ":1:3: expected a row"),
        ("- {owner: a, accounts: b}", ":1:24: unknown field 'accounts' (did you mean 'account'?)"),
        ("- {account: b}", ":1:3: owner: is required"),
        ("- {owner: a}", ":1:11: owner: the row has no condition"),
        ("- {owner: 5, account: b}", ":1:11: owner: must be text"),
        ("- {owner: a, type: 5}", ":1:20: type: must be text"),
        ("- {owner: a, tags: {tier: 1}}", ":1:20: tags: must map names to text"),
        ("- {owner: \"\\u202e\", account: b}", ":1:11: owner: names nobody"),
        ("- {owner: a", ":2:1: "),
    ],
)  # fmt: skip
def test_every_mistake_in_a_map_has_its_place(
    driftline: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    path = tmp_path / "map.yaml"
    path.write_text(text)
    monkeypatch.setenv("DRIFTLINE_OWNERS__MAP", f"[{{file: '{path}'}}]")
    said = driftline("config", "check")
    assert said.code == 2
    assert f"error: {path}{told}" in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("{sources: [tag, tag]}", "owners.sources: contains tag twice"),
        ("{sources: [tags]}", "must be 'tag', 'workspace'"),
        ("{tags: ['']}", "owners.tags: one is empty"),
        ("{map: [{file: nowhere.yaml}]}", "owners.map.0: there is no file nowhere.yaml"),
        ("{map: [{file: a.yaml, owner: x}]}", "owners.map.0.file: cannot be combined with owner"),
        ("{map: [{account: a}]}", "owners.map.0.owner: is required"),
        ("{known_file: nowhere.txt}", "nowhere.txt: cannot be read"),
    ],
)  # fmt: skip
def test_every_mistake_in_the_settings_has_its_place(
    driftline: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "driftline.yaml").write_text(f"owners: {settings}\n")
    said = driftline("config", "check")
    assert said.code == 2
    assert told in said.err


def test_a_file_that_is_no_report_is_told(driftline: Command, tmp_path: Path) -> None:
    for text in (b"{}", b"[]", b"no", b'{"findings": [{}]}'):
        path = tmp_path / "x.json"
        path.write_bytes(text)
        said = driftline("owners", "check", "--report", path)
        assert (said.code, "not a report" in said.err) == (2, True)
