"""`driftline accounts`: what is watched, and the end of what is watched no more."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from driftline.pipeline.kafka import client as kafka
from driftline.pipeline.kafka import forgetting
from driftline.pipeline.model import Ancestor, CloudAccount, Control, Gone, Scope, Sweep
from driftline.pipeline.records.topics import CONTROL, FINDINGS, SWEEPS
from tests.core.world import TYPE, UID, World, denied, key, minute
from tests.shells.command import Command

ONE, TWO, QUIET = "111111111111", "222222222222", "333333333333"
SCOPE = f"aws/{ONE}/eu-west-1/{TYPE}".encode()
ABOVE = [Ancestor(kind="organization", id="o-1")]


def read(account: str, at: float = 0, uid: str = UID, **more: Any) -> Any:
    owner = CloudAccount(kind="account", id=account, name=f"name of {account}", ancestors=ABOVE)
    about = {"account": account, "organization": "o-1", "cloud_account": owner}
    return key(at, False, uid=f"{uid}{account}", **more).model_copy(update=about)


def header(account: str) -> bytes:
    scope = Scope(provider="aws", account=account, region="eu-west-1", type=TYPE)
    return Sweep(
        scope=scope, id="s", started_at=minute(0), finished_at=minute(1), status="complete", organization="o-1" if account == QUIET else None,
    ).encode()  # fmt: skip


@pytest.fixture
def world() -> World:
    made = World()
    for account in (ONE, TWO):
        made.snapshot(read(account))
    return made


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, world: World) -> list[tuple[list[Gone], list[bytes]]]:
    said: list[tuple[list[Gone], list[bytes]]] = []
    sweeps = {SCOPE: header(ONE), SCOPE + b"#0": b"", f"aws/{QUIET}/eu-west-1/{TYPE}".encode(): header(QUIET)}  # fmt: skip
    there: dict[str, Callable[[], dict[bytes, bytes]]] = {
        FINDINGS.name: lambda: world.findings | {b"x": b"{no finding", b"y": b""},
        SWEEPS.name: lambda: sweeps,
    }
    monkeypatch.setattr(kafka, "read_compacted", lambda _, topic: there[topic]())
    monkeypatch.setattr(forgetting, "say", lambda _, words, keys: said.append((words, keys)))
    return said


def test_they_are_listed_with_what_is_known(driftline: Command, told: list[Any]) -> None:
    rows = orjson.loads(driftline("accounts", "list", "--format", "json").out)
    assert [(row["account"], row["organization"], row["open"], row["resources"]) for row in rows] == [
        (ONE, "o-1", 1, 1), (TWO, "o-1", 1, 1), (QUIET, "o-1", 0, 0),
    ]  # fmt: skip
    table = driftline("accounts", "list")
    assert max(map(len, table.out.splitlines())) <= 80
    assert ONE in table.out
    assert told == []


def test_a_removed_account_ends_and_the_others_stand(driftline: Command, world: World, told: list[Any]) -> None:  # fmt: skip
    said = driftline("accounts", "remove", ONE, "--yes")
    assert said.code == 0
    assert "it is tracked again" in said.err
    ((gone, dropped),) = told
    assert dropped == [SCOPE, SCOPE + b"#0"]
    for word in gone:
        world.feed(CONTROL.name, Control(gone=word).encode())
    statuses = {one["resource"]["account"]: (one["status"], one["reason"], one["retired"]) for one in world.documents() if one["rule"]["id"] == "t-rotation"}  # fmt: skip
    assert statuses == {ONE: ("resolved", "account_gone", True), TWO: ("open", "opened", False)}


def test_an_account_that_cannot_be_read_is_not_removed(world: World) -> None:
    """Nor does a denial after the end bring anything back."""
    world.snapshot(denied(5, uid=f"{UID}{ONE}").model_copy(update={"account": ONE}))
    assert {one["evaluation"] for one in world.documents() if one["resource"]["account"] == ONE} == {"unknown"}  # fmt: skip
    assert not any(one["retired"] for one in world.documents())
    word = Gone(provider="aws", account=ONE, reason="account_gone", at=minute(10))
    world.feed(CONTROL.name, Control(gone=word).encode())
    world.snapshot(denied(15, uid=f"{UID}{ONE}").model_copy(update={"account": ONE}))
    world.snapshot(read(ONE, 9))
    ended = [one for one in world.documents() if one["resource"]["account"] == ONE]
    assert {(one["reason"], one["retired"]) for one in ended} == {("account_gone", True)}
    world.snapshot(read(ONE, 20))
    assert world.brief(uid=f"{UID}{ONE}") == ("open", "failed", "reopened"), (
        "read later, it is back"
    )


def test_a_whole_organization_ends(driftline: Command, told: list[Any]) -> None:
    assert driftline("accounts", "remove", "--organization", "o-1", "--yes").code == 0
    assert {word.account for word in told[0][0]} == {ONE, TWO, QUIET}
    assert {word.reason for word in told[0][0]} == {"account_gone"}


def test_a_dry_run_says_what_would_end(driftline: Command, told: list[Any]) -> None:
    said = driftline("accounts", "remove", ONE, "--dry-run", "--format", "json")
    assert said.code == 0
    assert [(row["account"], row["open"]) for row in orjson.loads(said.out)] == [(ONE, 1)]
    assert told == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "nothing selected"),
        (("444444444444", "--yes"), "444444444444: nothing is known of this account (try: driftline accounts list)"),
        (("--organization", "o-2", "--yes"), "--organization o-2: no known account belongs to it"),
        (("--organization", "", "--yes"), "no known account belongs to it"),
        ((ONE,), "nothing was removed: cannot ask for confirmation here (add --yes or --dry-run)"),
        ((ONE, "--yes", "--dry-run"), "--dry-run"),
    ],
)  # fmt: skip
def test_mistakes_end_nothing(driftline: Command, told: list[Any], arguments: tuple[str, ...], why: str) -> None:  # fmt: skip
    said = driftline("accounts", "remove", *arguments)
    assert (said.code, told) == (2, [])
    assert why in said.err


def test_an_account_of_the_settings_is_not_removed(
    driftline: Command, told: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DRIFTLINE_AWS__ACCOUNTS", f"['{ONE}']")
    said = driftline("accounts", "remove", ONE, "--yes")
    assert (said.code, told) == (2, [])
    assert "remove it from the settings" in said.err
