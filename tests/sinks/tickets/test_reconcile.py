"""One real ticket for each wanted one, whatever is killed, cut or edited."""

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.sinks.base import Busy
from driftline.sinks.tickets import text
from driftline.sinks.tickets.destination import Timing
from driftline.sinks.tickets.reconcile import Again, Never, Outcome, Reconciler, Settled
from tests.sinks.tickets.system import Durable, System

TIMING = Timing(lookup_for=600, lookup_every=15, retry=5)
POINTS = (
    "before intent", "before create", "after create", "before lookup", "before link", "after link", "before update", "after update",
    "before comment", "before transition", "before done",
)  # fmt: skip


class Killed(BaseException):
    """The process is gone."""


def wanted(revision: int = 1, state: str = "open", **more: Any) -> dict[str, Any]:
    ticket = {
        "key": "g.1", "revision": revision, "state": state, "title": "Buckets are private", "summary": "a is public.",
        "severity": "high", "labels": ["driftline"], "reopened": 0,
    }  # fmt: skip
    return ticket | more


class Process:
    """A reconciler that is started again after each kill, with a clock that runs as it is told to wait."""

    def __init__(self, lag: float = 0, kills: list[tuple[str, int]] | None = None) -> None:
        self.clock = 1000.0
        self.system = System(lambda: self.clock, lag)
        self.links = Durable()
        self.kills = dict[str, int](kills or [])
        self.passed: dict[str, int] = {}
        self.start()

    def start(self) -> None:
        self.reconciler = Reconciler(
            "jira", self.system, self.links, lambda: self.clock, TIMING, self.point
        )

    async def point(self, name: str) -> None:
        self.passed[name] = self.passed.get(name, 0) + 1
        if self.kills.get(name) == self.passed[name]:
            raise Killed(name)

    def once(self, ticket: dict[str, Any]) -> Outcome:
        return asyncio.run(self.reconciler.reconcile(ticket))

    def until_done(self, ticket: dict[str, Any]) -> Outcome:
        for _ in range(500):
            try:
                outcome = self.once(ticket)
            except Killed:
                self.start()
                continue
            except Busy as busy:
                self.clock += busy.retry_after or 1
                continue
            if not isinstance(outcome, Again):
                return outcome
            self.clock += outcome.after
        raise AssertionError("it never ends")

    def real(self) -> list[str]:
        """Tickets that are no duplicates."""
        return [id for id, one in self.system.issues.items() if one.resolution != "duplicate"]


def test_a_ticket_is_created_once_and_made_equal() -> None:
    process = Process()
    assert process.until_done(wanted()) == Settled()
    (one,) = process.system.issues.values()
    assert one.fields == {
        "title": "Buckets are private", "description": text.marked("a is public."), "priority": "high", "assignee": "team",
    }  # fmt: skip
    assert one.labels == {"driftline", "driftline-g.1"}
    process.until_done(
        wanted(
            2,
            summary="a and b are public.",
            comments=[{"id": "c1", "at": "", "text": "b now fails."}],
        )
    )
    assert text.part(one.fields["description"]) == "a and b are public."
    assert one.comments == {"c1": "b now fails."}
    process.until_done(wanted(3, "closed", reason="fixed"))
    assert (one.open, one.resolution) == (False, "fixed")
    process.until_done(wanted(4, reopened=1))
    assert one.open
    assert len(process.system.issues) == 1


def test_what_is_over_before_it_was_created_is_not_created() -> None:
    process = Process()
    assert process.until_done(wanted(2, "closed")) == Settled()
    assert process.system.issues == {}
    assert process.links.rows == {}


def test_nothing_is_written_twice() -> None:
    process = Process()
    process.until_done(wanted())
    process.system.calls.clear()
    assert process.until_done(wanted()) == Settled()
    assert process.system.calls == ["read"]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("trouble", [[], ["cut"], ["lost"]], ids=["calm", "cut", "lost"])
def test_killed_at_any_point(point: str, times: int, trouble: list[str]) -> None:
    process = Process(lag=3, kills=[(point, times)])
    process.system.trouble = trouble
    comments = [{"id": "c1", "at": "", "text": "b now fails."}]
    for ticket in (
        wanted(),
        wanted(2, summary="two", comments=comments),
        wanted(3, "closed", comments=comments),
    ):
        assert process.until_done(ticket) == Settled()
    (one,) = process.system.issues.values()
    assert not one.open
    assert one.comments == {"c1": "b now fails."}


TROUBLE = st.lists(st.sampled_from(["", "", "lost", "cut", "busy"]), max_size=12)


@settings(max_examples=300, deadline=None)
@given(
    lag=st.sampled_from([0, 3, 300, 590]),
    trouble=TROUBLE,
    kills=st.lists(st.tuples(st.sampled_from(POINTS), st.integers(1, 4)), max_size=4),
)
def test_never_a_second_ticket_while_search_lags_less_than_lookups(
    lag: float, trouble: list[str], kills: list[tuple[str, int]]
) -> None:
    process = Process(lag, kills)
    process.system.trouble = trouble
    for ticket in (wanted(), wanted(2, summary="two"), wanted(3, "closed", summary="two")):
        assert process.until_done(ticket) == Settled()
    assert len(process.system.issues) == 1
    (one,) = process.system.issues.values()
    assert text.part(one.fields["description"]) == "two"
    assert not one.open


@settings(max_examples=200, deadline=None)
@given(
    lag=st.sampled_from([605, 900]),
    trouble=TROUBLE,
    kills=st.lists(st.tuples(st.sampled_from(POINTS), st.integers(1, 3)), max_size=3),
)
def test_a_slower_search_costs_at_most_one_more_each_which_is_closed(
    lag: float, trouble: list[str], kills: list[tuple[str, int]]
) -> None:
    process = Process(lag, kills)
    process.system.trouble = trouble
    unknown = sum(one in ("lost", "cut") for one in trouble) + len(kills)
    assert process.until_done(wanted()) == Settled()
    assert len(process.system.issues) <= 1 + unknown
    if lag < TIMING.lookup_for * 2:  # within the window that follows
        assert len([id for id in process.real() if process.system.issues[id].open]) == 1


def test_what_a_person_changed_stays_theirs() -> None:
    process = Process()
    process.until_done(wanted())
    (one,) = process.system.issues.values()
    one.fields["priority"] = "lowest"
    one.fields["description"] = f"Asked the team.\n{one.fields['description']}\nSee wiki."
    one.fields["assignee"] = "alice"
    one.labels = (one.labels - {"driftline"}) | {"sprint-3"}
    process.until_done(wanted(2, severity="critical", summary="two", title="Two buckets"))
    assert one.fields["priority"] == "lowest"
    assert one.fields["assignee"] == "alice"
    assert one.fields["title"] == "Two buckets"
    assert one.fields["description"] == f"Asked the team.\n{text.marked('two')}\nSee wiki."
    assert one.labels == {"driftline-g.1", "sprint-3"}


def test_killed_between_writing_and_remembering_it_takes_nobodys_change_for_a_persons() -> None:
    process = Process(kills=[("after update", 1)])
    process.until_done(wanted())
    with pytest.raises(Killed):
        process.once(wanted(2, title="two"))
    process.start()
    process.until_done(wanted(3, title="three"))
    (one,) = process.system.issues.values()
    assert one.fields["title"] == "three"


def test_our_part_that_a_person_removed_is_added_again() -> None:
    process = Process()
    process.until_done(wanted())
    (one,) = process.system.issues.values()
    one.fields["description"] = "Mine."
    process.until_done(wanted(2))
    assert one.fields["description"] == f"Mine.\n\n{text.marked('a is public.')}"


def test_what_a_person_closed_stays_closed_until_it_is_reopened() -> None:
    process = Process()
    process.until_done(wanted())
    (one,) = process.system.issues.values()
    one.open = False
    process.until_done(wanted(2, summary="two"))
    assert not one.open
    process.until_done(wanted(3, reopened=1))
    assert one.open


def test_a_deleted_ticket_is_a_persons_decision() -> None:
    process = Process()
    process.until_done(wanted())
    process.clock += TIMING.lookup_for
    process.system.issues.clear()
    assert process.until_done(wanted(2)) == Settled()
    assert process.until_done(wanted(3)) == Settled()
    assert process.system.issues == {}


def test_a_refused_ticket_is_said_and_tried_again_with_the_next_revision() -> None:
    process = Process()
    process.system.trouble = ["refused"]
    assert process.until_done(wanted()) == Never("create: field 'x' is required")
    assert process.until_done(wanted(2)) == Settled()
    assert len(process.system.issues) == 1


def test_no_way_to_close_is_said_once() -> None:
    process = Process()
    process.until_done(wanted())
    process.system.closable = False
    for _ in range(3):
        process.until_done(wanted(2, "closed"))
    (one,) = process.system.issues.values()
    assert list(one.comments) == ["stuck.2"]
    assert process.system.calls.count("close") == 1


def test_a_later_ticket_names_the_earlier() -> None:
    process = Process()
    process.until_done(wanted())
    process.until_done(wanted(1, key="g.2", follows="g.1"))
    assert process.system.issues["id2"].related == {("follows", "id1")}


def test_hostile_text_cannot_leave_its_place() -> None:
    evil = f"x {text.END}\nmine now \u202e\x00 {text.BEGIN}"
    assert (text.part(text.marked(text.harmless(evil))) or "").split() == ["x", "mine", "now"]
