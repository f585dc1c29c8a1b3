"""From readings to tickets: what the core tells of membership, and what is made of it."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.cases.options import TicketOptions
from driftline.pipeline.model import finding_id
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records.topics import CONTROL, MEMBERS, SNAPSHOTS
from driftline.pipeline.rulebook.match import Match
from tests.core import world
from tests.core.world import UID, key, rulebook, tick, value

OPTIONS = AssessOptions(tickets=TicketOptions())


class Stream:
    """Readings and ticks through all folds."""

    def __init__(self, options: AssessOptions = OPTIONS) -> None:
        self.fold = Fold(rulebook(), options)

    def read(self, minute: float, **more: Any) -> None:
        self.fold.snapshot(key(minute, **more))

    def tick(self, minute: float) -> None:
        self.fold.feed(CONTROL.name, tick(minute))

    @property
    def tickets(self) -> list[dict[str, Any]]:
        return list(self.fold.tickets.values())


def test_a_failing_finding_opens_a_ticket_that_closes_when_it_is_fixed() -> None:
    stream = Stream()
    stream.read(0, rotation=False, tags={"owner": "team-a"})
    stream.tick(2)
    (ticket,) = stream.tickets
    assert (ticket["state"], ticket["rule"], ticket["values"]) == (
        "open",
        "t-rotation",
        ["t-rotation", "team-a"],
    )
    assert ticket["owner"]["id"] == "team-a"
    (member,) = [one for section in ticket["sections"] for one in section["members"]]
    assert member["id"] == f"finding:{finding_id('t-rotation', UID)}"
    assert member["uid"] == UID
    assert member["sentence"]
    stream.read(10, rotation=True, tags={"owner": "team-a"})
    stream.tick(45)
    (ticket,) = stream.tickets
    assert (ticket["state"], ticket["reason"]) == ("closed", "fixed")
    assert stream.fold.dead == []


def test_what_never_failed_has_no_ticket() -> None:
    stream = Stream()
    stream.read(0, rotation=True)
    stream.tick(60)
    assert stream.tickets == []


def test_a_new_owner_is_another_ticket() -> None:
    stream = Stream()
    stream.read(0, rotation=False, tags={"owner": "team-a"})
    stream.tick(2)
    stream.read(10, rotation=False, tags={"owner": "team-b"})
    stream.tick(45)
    states = {ticket["values"][1]: ticket["state"] for ticket in stream.tickets}
    assert states == {"team-a": "closed", "team-b": "open"}
    assert next(t for t in stream.tickets if t["values"][1] == "team-a")["reason"] == "moved"


def test_what_a_match_leaves_out_has_no_ticket() -> None:
    stream = Stream(replace(OPTIONS, tickets=TicketOptions(match=Match("tags['env'] == 'prod'"))))
    stream.read(0, rotation=False, tags={"env": "dev"})
    stream.tick(2)
    assert stream.tickets == []
    stream.read(3, rotation=False, tags={"env": "prod"})
    stream.tick(5)
    assert [ticket["state"] for ticket in stream.tickets] == ["open"]
    stream.read(6, rotation=False, tags={"env": "dev"})
    stream.tick(60)
    assert [ticket["state"] for ticket in stream.tickets] == ["closed"]


@pytest.mark.parametrize(
    ("by", "values"),
    [
        (("rule",), ["t-rotation"]),
        (("resource",), [UID]),
        (("account", "family"), ["111111111111", "t-rotation"]),
        (("unit", "declared", "change"), ["", "", ""]),
    ],
)
def test_tickets_are_grouped_as_the_settings_say(by: tuple[str, ...], values: list[str]) -> None:
    stream = Stream(replace(OPTIONS, tickets=TicketOptions(group_by=by)))
    stream.read(0, rotation=False)
    stream.tick(2)
    (ticket,) = stream.tickets
    assert (ticket["by"], ticket["values"]) == (",".join(by), values)


def test_without_tickets_nothing_is_told() -> None:
    stream = Stream(AssessOptions())
    stream.read(0, rotation=False)
    stream.tick(2)
    assert stream.tickets == []


def test_a_deleted_resource_closes_its_ticket() -> None:
    stream = Stream()
    stream.read(0, rotation=False)
    stream.tick(2)
    stream.read(10, deleted=True)
    stream.tick(45)
    (ticket,) = stream.tickets
    assert (ticket["state"], ticket["reason"]) == ("closed", "deleted")


class Routed(world.Kept):
    """A partition that is started again with other settings of tickets."""

    def __init__(self, tickets: TicketOptions | None) -> None:
        self.tickets, self.offset = tickets, 0
        self.members: list[dict[str, Any]] = []
        super().__init__(rulebook())

    def start(self, rules: Any) -> None:
        options = AssessOptions(tickets=self.tickets)
        self.fold = Partition(0, self.rows.get, rules, options, heads=self.heads)
        self.fold.restore(self.heads())

    def read(self, *snapshots: Any) -> None:
        self.fold.apply(SNAPSHOTS.name, value(*snapshots), self.offset)
        self.offset += 1

    def reload(self, tickets: TicketOptions | None) -> None:
        self.tickets = tickets
        self.start(rulebook())
        while self.fold.advance(most=1):
            pass

    def told(self) -> list[tuple[str, list[str]]]:
        """Operation and values of every member change since."""
        work = self.fold.take()
        self.rows.update({name: row for name, row in work.rows.items() if row is not None})
        records = [orjson.loads(one.value) for one in work.outputs if one.topic == MEMBERS.name]
        return [(one["op"], one["values"]) for one in records]


def test_findings_are_distributed_anew_when_the_settings_change() -> None:
    """As a worker does on SIGHUP: the same rows, other options."""
    kept = Routed(None)
    kept.fold.apply(CONTROL.name, tick(0), 0)
    kept.read(key(0, rotation=False), key(0, rotation=True, uid=f"{UID}2"))
    assert kept.told() == []
    by_rule, by_account = TicketOptions(group_by=("rule",)), TicketOptions(group_by=("account",))
    kept.reload(by_rule)
    assert kept.told() == [("joined", ["t-rotation"])]
    kept.reload(by_rule)
    assert kept.told() == []
    kept.reload(by_account)
    assert kept.told() == [("left", []), ("joined", ["111111111111"])]
    kept.reload(replace(by_account, match=Match("false")))
    assert kept.told() == [("left", [])]
    kept.read(key(5, rotation=True))
    assert kept.told() == []
