"""Tickets: opened once, collected, closed with evidence, opened again only by what was read later."""

import dataclasses

import orjson
import pytest

from driftline.pipeline.cases.options import TicketOptions
from driftline.pipeline.common.durations import MINUTE
from driftline.pipeline.model import Ticket, from_micros
from tests.cases.world import BEGIN, GROUP, World, change, members, texts

DAY = 24 * 60


@pytest.fixture(params=[False, True], ids=["running", "restarted at each step"])
def world(request: pytest.FixtureRequest) -> World:
    return World(restart=request.param)


def test_changes_are_collected_before_a_ticket_is_rendered(world: World) -> None:
    world.feed(change("a", "failing", 0, op="joined"))
    assert world.tick(0.4) == []
    world.feed(change("b", "failing", 0.4, op="joined"))
    (ticket,) = world.tick(1)
    assert members(ticket) == {"a": "failing", "b": "failing"}
    assert ticket["state"] == "open"
    assert ticket["title"] == "Buckets are private (2 resources)"
    assert ticket["key"] == f"{GROUP}.1"
    assert world.tick(2) == []  # nothing new
    Ticket.model_validate(ticket)


def test_a_ticket_of_one_resource_says_which_and_why(world: World) -> None:
    world.feed(change("a", "failing", 0, op="joined"))
    (ticket,) = world.tick(1)
    assert ticket["title"] == "Buckets are private: a"
    assert ticket["summary"] == "a is public."
    assert ticket["fix"] == {"for": "a", "cli": "close a"}


def test_it_closes_with_evidence_once_nothing_has_failed_for_a_while(world: World) -> None:
    world.feed(change("a", "failing", 0, op="joined"), change("b", "failing", 0, op="joined"))
    world.tick(1)
    world.feed(change("a", "passing", 5))
    (ticket,) = world.tick(6)
    assert members(ticket) == {"b": "failing", "a": "passing"}
    world.feed(change("b", "gone", 10))
    assert [one["state"] for one in world.tick(39)] == ["open"]
    (ticket,) = world.tick(40)
    assert (ticket["state"], ticket["reason"]) == ("closed", "fixed")
    assert ticket["evidence"] == [
        f"a: fixed at {from_micros(BEGIN + 5 * MINUTE)}, read at {from_micros(BEGIN + 5 * MINUTE)}",
        f"b: deleted at {from_micros(BEGIN + 10 * MINUTE)}, read at {from_micros(BEGIN + 10 * MINUTE)}",
    ]
    assert texts(ticket) == ["Closed: 1 fixed, 1 deleted."]


def test_unknown_changes_nothing(world: World) -> None:
    world.feed(change("a", "failing", 0, op="joined"))
    world.tick(1)
    world.feed(change("a", "unknown", 5))
    (ticket,) = world.tick(6)
    assert members(ticket) == {"a": "failing"}
    assert ticket["sections"][0]["members"][0]["unread_since"] == from_micros(BEGIN + 5 * MINUTE)
    world.feed(change("a", "passing", 7))
    world.tick(8)
    world.feed(change("a", "unknown", 9))  # it passed when it was last read
    world.tick(60)
    assert world.tickets[f"{GROUP}.1"]["state"] == "closed"


def test_what_was_never_known_opens_nothing_and_keeps_open(world: World) -> None:
    world.feed(change("a", "unknown", 0, op="joined"))
    assert world.tick(60) == []
    world.feed(change("b", "failing", 60, op="joined"), change("b", "passing", 61))
    world.tick(120)
    assert world.open == [f"{GROUP}.1"]
    assert members(world.tickets[f"{GROUP}.1"]) == {"a": "unknown", "b": "passing"}


def test_an_older_reading_does_not_open_it_again(world: World) -> None:
    world.feed(change("a", "failing", 0, op="joined"))
    world.tick(1)
    world.feed(change("a", "passing", 2))
    world.tick(40)
    world.feed(change("a", "failing", 41, read_at=from_micros(BEGIN + 1 * MINUTE)))
    world.tick(50)
    assert world.open == []
    world.feed(change("a", "failing", 51))
    (ticket,) = world.tick(52)
    assert (ticket["key"], ticket["state"], ticket["reopened"]) == (f"{GROUP}.1", "open", 1)
    assert texts(ticket)[-1] == "a now fails. a is public."
    assert "closed_at" not in ticket


def test_what_joins_a_closed_ticket_opens_it_whenever_it_was_read(world: World) -> None:
    """It comes from another ticket: it was not among those that were seen to pass."""
    world.feed(change("a", "failing", 0, op="joined"), change("a", "passing", 2))
    world.tick(40)
    world.feed(change("b", "failing", 41, op="joined", read_at=from_micros(BEGIN)))
    world.tick(50)
    assert world.open == [f"{GROUP}.1"]


@pytest.mark.parametrize("known", [True, False], ids=["the same member", "another"])
def test_long_after_it_is_a_new_ticket_that_names_the_old(world: World, known: bool) -> None:
    world.feed(change("a", "failing", 0, op="joined"), change("a", "passing", 2))
    world.tick(40)
    world.tick(10 * DAY)
    world.tick(20 * DAY)
    world.feed(change("a" if known else "b", "failing", 21 * DAY))
    (ticket,) = world.tick(21 * DAY + 1)
    assert (ticket["key"], ticket["follows"], ticket["reopened"]) == (f"{GROUP}.2", f"{GROUP}.1", 0)
    assert len(members(ticket)) == 1
    assert texts(ticket) == []
    assert world.tickets[f"{GROUP}.1"]["state"] == "closed"


def test_a_new_ticket_leaves_out_what_the_old_one_closed() -> None:
    world = World(dataclasses.replace(TicketOptions(), reopen_within=60 * MINUTE))
    world.feed(*(change(name, "failing", 0, op="joined") for name in "abc"))
    world.feed(*(change(name, "passing", 2) for name in "abc"))
    world.tick(40)
    world.feed(change("b", "failing", 101))
    (ticket,) = world.tick(102)
    assert members(ticket) == {"b": "failing"}
    assert ticket["counts"] == {"failing": 1}


def test_what_has_left_does_not_come_back_by_an_older_record(world: World) -> None:
    world.feed(change("a", "failing", 0, op="joined"), change("b", "failing", 0, op="joined"))
    world.feed(change("a", "failing", 5, op="left"), change("a", "failing", 3))
    (ticket,) = world.tick(6)
    assert members(ticket) == {"b": "failing"}


def test_a_ticket_that_all_have_left_closes_as_moved(world: World) -> None:
    world.feed(change("a", "failing", 0, op="joined"))
    world.tick(1)
    world.feed(change("a", "failing", 5, op="left"))
    world.tick(40)
    ticket = world.tickets[f"{GROUP}.1"]
    assert (ticket["state"], ticket["reason"]) == ("closed", "moved")
    assert texts(ticket) == ["Closed: its findings belong to other tickets now."]


def test_what_opens_and_closes_before_it_settles_is_no_ticket_until_it_closes(world: World) -> None:
    world.feed(change("a", "failing", 0, op="joined"), change("a", "passing", 0.1))
    world.tick(0.2)
    assert world.tickets == {}


def test_a_redelivered_record_changes_nothing(world: World) -> None:
    record = change("a", "failing", 0, op="joined")
    world.feed(record)
    world.tick(1)
    world.offset -= 2
    world.feed(record)
    world.offset += 1
    assert world.tick(5) == []


def test_malformed_records_are_dead_lettered(world: World) -> None:
    good = change("a", "failing", 0, op="joined")
    world.feed(
        b"{", orjson.dumps(good | {"state": "odd"}), orjson.dumps(good | {"group": "x\ny"}), good
    )
    assert len(world.dead) == 3
    assert "state" in world.dead[1].reason
    assert len(world.tick(1)) == 1


def test_hostile_names_stay_text(world: World) -> None:
    name = "a\n\x00{code}*_|<script>\u202e" + "x" * 10_000
    world.feed(change("a", "failing", 0, op="joined", document={"resource": name, "title": "t\nu"}))
    (ticket,) = world.tick(1)
    assert "\n" not in ticket["title"]
    assert len(ticket["title"]) <= 250


def test_of_many_members_the_worst_are_shown_and_the_rest_counted() -> None:
    world = World()
    world.feed(
        *(change(f"m{n:04}", "failing", 0, op="joined", severity="medium") for n in range(600))
    )
    world.feed(
        *(change(f"w{n:04}", "failing", 0, op="joined", severity="critical") for n in range(50))
    )
    (ticket,) = world.tick(1)
    listed = members(ticket)
    assert len(listed) == 200
    assert ticket["more"] == 450
    assert ticket["counts"] == {"failing": 650}
    assert ticket["severity"] == "critical"
    assert sum(name.startswith("w") for name in listed) == 50
    world.feed(*(change(f"m{n:04}", "passing", 2) for n in range(590)))
    world.feed(*(change(f"w{n:04}", "passing", 2) for n in range(50)))
    (ticket,) = world.tick(3)
    listed = members(ticket)
    assert list(listed.values()).count("failing") == 10
    assert ticket["counts"] == {"failing": 10, "passing": 640}
