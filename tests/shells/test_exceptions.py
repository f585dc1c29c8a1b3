"""Exceptions as people write them: what is right, every mistake at once with its place, and what the commands do."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.kafka import exception_store
from driftline.pipeline.kafka.exception_store import Use, counted
from driftline.pipeline.model import RiskException
from driftline.pipeline.records import tape
from driftline.pipeline.settings.blocks import Kafka
from tests.core.world import UID, key, write_rules
from tests.shells.command import Command

TODAY = datetime.now(UTC)
SOON, LATER = (f"{TODAY + timedelta(days=days):%Y-%m-%d}" for days in (9, 90))
GOOD = f"""\
- rule: t-rotation
  resource: {UID}
  reason: an old machine cannot rotate
  owner: bea
  approver: carol
  until: {LATER}
- id: ours-2
  rule: t-patient
  account: 111111111111
  tags: {{env: dev}}
  reason: they are switched off at night
  owner: bea
  approver: carol
  until: '{LATER}T12:00:00Z'
"""


@pytest.fixture
def here(driftline: Command, tmp_path: Path) -> Path:
    """A folder with settings and the three rules."""
    (tmp_path / "rules").mkdir()
    write_rules(tmp_path / "rules")
    (tmp_path / "driftline.yaml").write_text("rules: {builtin: false, paths: [rules]}\n")
    (tmp_path / "accepted").mkdir()
    return tmp_path


class Store:
    """In place of Kafka."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.records: dict[str, RiskException] = {}
        self.said: list[RiskException] = []
        self.uses: dict[str, Use] = {}
        monkeypatch.setattr(exception_store, "stored", lambda _: dict(self.records))
        monkeypatch.setattr(exception_store, "say", self._say)
        monkeypatch.setattr(exception_store, "uses", lambda _: self.uses)

    def _say(self, _: Kafka, records: Iterable[RiskException]) -> None:
        for record in records:
            self.said.append(record)
            self.records[record.id] = record


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    return Store(monkeypatch)


def write(here: Path, text: str, name: str = "one.yaml") -> None:
    (here / "accepted" / name).write_text(text)


def test_good_files(driftline: Command, here: Path) -> None:
    write(here, GOOD)
    said = driftline("exceptions", "check", "accepted")
    assert (said.code, said.out, said.err) == (0, "2 exceptions; 0 warnings\n", "")


@pytest.mark.parametrize(
    ("change", "place", "problem"),
    [
        (("rule: t-rotation", "rule: t-rotatoin"), "1:9", "did you mean 't-rotation'"),
        (("  rule: t-patient\n", ""), "7:3", "needs either rule or control"),
        (("rule: t-patient", "control: cis:1"), "8:12", "no rule covers 'cis:1'"),
        (("  reason: an old machine cannot rotate\n", ""), "1:3", "reason is missing"),
        (("an old machine cannot rotate", "why not"), "3:11", "too short"),
        (("approver: carol", "approver: Bea"), "5:13", "owner and approver are the same person"),
        ((f"until: {LATER}", "until: 2019-13-01"), "6:10", "is not a time"),
        ((f"until: {LATER}", "until: 2099-01-01"), "6:10", "more than 366 days ahead"),
        ((f"until: {LATER}\n-", "until: 5\n-"), "6:10", "must be text"),
        (("  account: 1", "  accounts: 1"), "9:3", "did you mean 'account'"),
        (("tags: {env: dev}", "tags: dev"), "10:9", "tags must map"),
        (("id: ours-2", "id: Ours 2"), "7:7", "3 to 80 of a-z"),
        (("- id: ours-2\n  rule: t-patient\n  account: 111111111111\n  tags: {env: dev}", f"- rule: t-rotation\n  resource: {UID}"), "7:3", "the same exception is defined at"),
        ((f"- rule: t-rotation\n  resource: {UID}", "- 5\n- rule: t-rotation"), "1:3", "an exception is a mapping"),
    ],
)  # fmt: skip
def test_a_mistake_has_its_place(
    driftline: Command, here: Path, change: tuple[str, str], place: str, problem: str
) -> None:
    assert change[0] in GOOD
    write(here, GOOD.replace(*change, 1))
    said = driftline("exceptions", "check", "accepted")
    assert said.code == 2
    found = [line for line in said.err.splitlines() if problem in line]
    assert found, said.err
    assert "one.yaml:" in found[0]
    wrong_line = found[0].split("one.yaml:")[1].split(":")[0]
    assert wrong_line == place.split(":")[0], found


def test_every_mistake_at_once(driftline: Command, here: Path) -> None:
    write(
        here, GOOD.replace("an old machine cannot rotate", "no").replace("t-patient", "t-impatient")
    )
    write(here, "a: [", "two.yaml")
    said = driftline("exceptions", "check", "accepted", "nowhere")
    assert said.code == 2
    assert len(said.err.splitlines()) == 4


def test_what_is_doubtful_is_a_warning(driftline: Command, here: Path) -> None:
    write(
        here, GOOD.replace(f"  resource: {UID}\n", "").replace(f"'{LATER}T12:00:00Z'", "2020-01-01")
    )
    said = driftline("exceptions", "check", "accepted")
    assert said.code == 0
    assert "too broad: it covers every resource in every account" in said.err
    assert "ours-2 ended on 2020-01-02 (delete it" in said.err


def test_apply_begins_changes_and_ends(driftline: Command, here: Path, store: Store) -> None:
    write(here, GOOD)
    dry = driftline("exceptions", "apply", "accepted", "--dry-run")
    assert (dry.code, store.said) == (0, [])
    assert "2 begin or change, 0 end" in dry.out
    assert driftline("exceptions", "apply", "accepted").code == 0
    first = {record.id: record for record in store.said}
    assert len(first) == 2
    assert {record.source for record in store.said} == {"file"}
    again = driftline("exceptions", "apply", "accepted")
    assert "0 begin or change, 0 end, 2 unchanged" in again.out
    assert len(store.said) == 2

    store.records["by-hand"] = RiskException.model_validate(
        store.records["ours-2"].model_dump() | {"id": "by-hand", "source": "command"}
    )
    write(here, GOOD.split("- id")[0].replace("cannot rotate", "must not rotate"))
    said = driftline("exceptions", "apply", "accepted")
    assert "1 begin or change, 1 end, 0 unchanged" in said.out
    changed, ended = store.said[2:]
    assert changed.id == next(id for id in first if id != "ours-2")
    assert changed.at > first[changed.id].at
    assert (ended.id, ended.ended) == ("ours-2", ended.at)
    assert store.records["by-hand"].ended is None
    write(here, GOOD)
    assert (
        "new" not in (back := driftline("exceptions", "apply", "accepted").out)
        or "changed: ours-2" in back
    )
    assert store.records["ours-2"].ended is None


ADD = ("exceptions", "add", "--rule", "t-rotation", "--resource", UID, "--reason", "an old machine cannot rotate",
       "--owner", "bea", "--approver", "carol")  # fmt: skip


def test_add_list_and_expire(
    driftline: Command, here: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    said = driftline(*ADD, "--until", SOON, "--tag", "env=dev", "--account", "111111111111")
    assert said.code == 0, said.err
    [record] = store.said
    assert record.id in said.out
    assert record.until == datetime.fromisoformat(SOON).replace(tzinfo=UTC) + timedelta(days=1)
    assert (record.tags, record.account, record.source) == (
        {"env": "dev"},
        "111111111111",
        "command",
    )
    assert driftline(*ADD, "--until", LATER).code == 0
    assert len(store.records) == 2, "another scope is another exception"
    assert driftline(*ADD, "--until", SOON).code == 0
    assert len(store.records) == 2, "the same scope is the same exception"
    other = next(id for id in store.records if id != record.id)
    store.uses = {other: Use(3, 1)}
    rows = json.loads(driftline("exceptions", "list", "--format", "json").out)
    assert {row["id"]: (row["state"], row["notes"], row["suppresses"], row["overridden"]) for row in rows} == {
        record.id: ("ends_soon", ["unused"], 0, 0), other: ("ends_soon", [], 3, 1),
    }  # fmt: skip
    table = driftline("exceptions", "list").out
    assert "2 exceptions, 3 findings suppressed" in table
    assert "ends_soon, unused" in table
    gone = driftline("exceptions", "expire", record.id)
    assert (gone.code, store.records[record.id].ended is not None) == (0, True)
    assert "1 have ended (--all)" in driftline("exceptions", "list").out
    every = json.loads(driftline("exceptions", "list", "--all", "--format", "json").out)
    assert {row["id"]: row["state"] for row in every} == {record.id: "ended", other: "ends_soon"}
    assert "had already ended" in driftline("exceptions", "expire", record.id).err
    unknown = driftline("exceptions", "expire", f"{other}x")
    assert (unknown.code, f"did you mean '{other}'" in unknown.err) == (2, True)
    assert driftline("exceptions", "send").out == "1 exception sent\n"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("--until", "2020-01-01"), "--until 2020-01-01: it is in the past"),
        (("--until", "tomorrow"), "--until: until: 'tomorrow' is not a time"),
        (("--until", LATER, "--control", "x:1"), "--control: needs either rule or control"),
        (("--until", LATER, "--tag", "env"), "--tag env: not a tag"),
        (
            ("--until", LATER, "--owner", "carol"),
            "--approver: owner and approver are the same person",
        ),
    ],
)
def test_mistakes_on_the_command_line(
    driftline: Command, here: Path, store: Store, words: tuple[str, ...], problem: str
) -> None:
    said = driftline(*ADD, *words)
    assert (said.code, store.said) == (2, [])
    assert problem in said.err


def test_too_broad_by_what_it_suppresses(driftline: Command, here: Path, store: Store) -> None:
    assert driftline(*ADD, "--until", LATER).code == 0
    [id] = store.records
    store.uses = {id: Use(101, 0)}
    assert json.loads(driftline("exceptions", "list", "--format", "json").out)[0]["notes"] == [
        "too_broad"
    ]


def test_uses_are_counted_by_finding() -> None:
    assert counted({b"1": ("a", True), b"2": ("a", False), b"3": ("b", True)}) == {
        "a": Use(1, 1),
        "b": Use(1, 0),
    }


def recorded(here: Path) -> Path:
    path = here / "tape.ndjson"
    there = [(0, UID), (1, UID[:-1] + "2")]
    read = [key(at, rotation=False, uid=uid).model_dump(mode="json") for at, uid in there]
    tape.write(path, [("snapshots", one["captured_at"], [one]) for one in read])
    return path


def states(text: str) -> dict[tuple[str, str], str]:
    return {
        (f["resource"]["uid"][-1], f["rule"]["id"]): f["status"]
        for f in json.loads(text)["findings"]
    }


@pytest.mark.parametrize("how", ["scan", "replay", "settings"])
def test_without_a_stream(driftline: Command, here: Path, how: str) -> None:
    write(here, GOOD)
    path = recorded(here)
    words: tuple[Any, ...] = ("replay", path) if how == "replay" else ("scan", "folder", path)
    given: tuple[str, ...] = ("--exceptions", "accepted")
    if how == "settings":
        with (here / "driftline.yaml").open("a") as file:
            file.write("exceptions: {paths: [accepted]}\n")
        given = ()
    said = driftline(*words, *given, "--format", "json")
    assert said.code == 1, said.err
    found = states(said.out)
    assert (found["1", "t-rotation"], found["2", "t-rotation"]) == ("suppressed", "open")
    assert json.loads(said.out)["summary"]["suppressed"] == 1
    table = driftline(*words, *given)
    assert "Suppressed: 1." in table.out
    write(here, GOOD.replace(UID, "'*'"))
    quiet = driftline(*words, *given)
    assert quiet.code == 0, "what is accepted fails no pipeline"
    assert "too broad" not in quiet.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("", "no end given"), ("--until 2027-01-01 --for 3d", "use either"), ("--for soon", "--for soon: expected a duration"),
        ("--for 0s", "--for 0s: must be longer than zero"), ("--for 9999d", "days ahead"),
    ],
)  # fmt: skip
def test_an_end_is_a_day_or_so_long_from_now(driftline: Command, words: str, told: str) -> None:
    add = "exceptions add --rule aws-s3-bucket-tls-only --resource x --reason everybody-may-read --owner ann --approver bea"
    said = driftline(*add.split(), *words.split())
    assert said.code == 2
    assert told in said.err


def test_a_folder_without_exceptions_is_no_clean_check(driftline: Command, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    said = driftline("exceptions", "check", "none")
    assert said.code == 3
    assert "nothing was evaluated" in said.err
