"""Jira Data Center, against a double that is not ours: one issue for each ticket, whatever is cut."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from driftline.sinks.base import Busy
from driftline.sinks.jira.client import JiraClient
from driftline.sinks.jira.destination import Jira
from driftline.sinks.jira.settings import JiraSettings
from driftline.sinks.tickets import text
from driftline.sinks.tickets.reconcile import Again, Never, Outcome, Reconciler, Settled
from tests.sinks.jira.data_center import PROJECT, DataCenter, data_center
from tests.sinks.tickets.system import Durable


@pytest.fixture(scope="module")
def jira(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DataCenter]:
    with data_center(tmp_path_factory.mktemp("jira")) as running:
        yield running


def wanted(key: str, revision: int = 1, state: str = "open", **more: Any) -> dict[str, Any]:
    member = {
        "id": "finding:1", "state": "failing", "resource": "a|b", "type": "AWS::S3::Bucket", "region": "eu-west-1",
        "sentence": "a is {public} [x].", "link": "https://console.example/a", "severity": "high", "since": "2026-01-01T00:00:00.000000Z",
    }  # fmt: skip
    ticket = {
        "key": key, "group": key, "generation": 1, "revision": revision, "state": state, "title": "Buckets are private: a",
        "summary": "a is public.", "severity": "high", "labels": ["driftline"], "reopened": 0, "rule": "aws-s3-bucket-private",
        "owner": {"id": "team-a", "found_by": "tag"}, "sections": [{"account": "111111111111", "members": [member]}],
        "counts": {"failing": 1}, "by": "rule", "values": ["r"], "opened_at": "2026-01-01T00:00:00.000000Z",
        "fix": {"for": "a", "cli": "aws s3api put-public-access-block"}, "due_at": "2026-12-24T00:00:00.000000Z",
    }  # fmt: skip
    return ticket | more


class Person:
    """A sink that delivers, with a clock that runs as it is told to wait."""

    def __init__(self, jira: DataCenter, **settings: Any) -> None:
        own = {
            "url": jira.url,
            "deployment": "data_center",
            "project": PROJECT,
            "token": SecretStr("t"),
        }
        self.settings = JiraSettings(**own | settings)
        self.jira, self.links, self.clock = jira, Durable(), 1_000_000.0

    def deliver(self, *tickets: dict[str, Any]) -> Outcome:
        async def run() -> Outcome:
            outcome: Outcome = Settled()
            destination = Jira(self.settings, JiraClient(self.settings, lambda: self.clock))
            reconciler = Reconciler("jira", destination, self.links, lambda: self.clock)
            try:
                for ticket in tickets:
                    outcome = await self._until_done(reconciler, ticket)
            finally:
                await destination.shut()
            return outcome

        return asyncio.run(run())

    async def _until_done(self, reconciler: Reconciler, ticket: dict[str, Any]) -> Outcome:
        for _ in range(200):
            try:
                outcome = await reconciler.reconcile(ticket)
            except Busy as busy:
                self.clock += busy.retry_after or 1
                continue
            if not isinstance(outcome, Again):
                return outcome
            self.clock += outcome.after
        raise AssertionError("it never ends")

    def comments(self, key: str) -> list[dict[str, Any]]:
        (one,) = self.jira.labelled(f"driftline-{key}")
        found: list[dict[str, Any]] = self.jira.ask("GET", f"/issue/{one['key']}/comment")[
            "comments"
        ]
        return found

    def issue(self, key: str) -> dict[str, Any]:
        (one,) = self.jira.labelled(f"driftline-{key}")
        fields: dict[str, Any] = self.jira.ask("GET", f"/issue/{one['key']}")["fields"]
        return fields


@pytest.fixture
def person(jira: DataCenter) -> Person:
    jira.gate.faults.clear()
    jira.gate.only = ""
    return Person(jira)


def test_an_issue_for_life(person: Person) -> None:
    assert person.deliver(wanted("life.1")) == Settled()
    fields = person.issue("life.1")
    assert fields["summary"] == "Buckets are private: a"
    assert fields["priority"]["name"] == "High"
    assert fields["duedate"] == "2026-12-24"
    assert r"[a\|b|https://console.example/a]" in fields["description"]
    assert r"a is \{public\} \[x\]." in fields["description"]
    told = {"id": "c1", "at": "", "text": "b now fails."}
    assert (
        person.deliver(wanted("life.1", 2, comments=[told]), wanted("life.1", 3, comments=[told]))
        == Settled()
    )
    (comment,) = person.comments("life.1")
    assert comment["body"].startswith("b now fails.")
    assert person.deliver(wanted("life.1", 4, "closed", reason="fixed")) == Settled()
    assert person.issue("life.1")["status"]["statusCategory"]["key"] == "done"
    assert person.deliver(wanted("life.1", 5, reopened=1)) == Settled()
    assert person.issue("life.1")["status"]["statusCategory"]["key"] != "done"


@pytest.mark.parametrize("fault", ["cut", "error", "lost", "busy"])
def test_a_creation_without_an_answer_makes_one_issue(person: Person, fault: str) -> None:
    person.jira.gate.only, person.jira.gate.faults = "POST /issue", [fault]
    assert person.deliver(wanted(f"{fault}.1")) == Settled()
    assert len(person.jira.labelled(f"driftline-{fault}.1")) == 1


@pytest.mark.parametrize("number", range(12))
@pytest.mark.parametrize("fault", ["cut", "error", "lost"])
def test_any_call_may_be_cut(person: Person, fault: str, number: int) -> None:
    key = f"any-{fault}-{number}.1"
    person.jira.gate.faults = [""] * number + [fault]
    comment = {"id": "c1", "at": "", "text": "b now fails."}
    assert (
        person.deliver(
            wanted(key),
            wanted(key, 2, comments=[comment]),
            wanted(key, 3, "closed", comments=[comment]),
        )
        == Settled()
    )
    fields = person.issue(key)
    assert fields["status"]["statusCategory"]["key"] == "done"
    assert len(person.comments(key)) == 1


def test_what_people_write_stays(person: Person) -> None:
    person.deliver(wanted("people.1"))
    (one,) = person.jira.labelled("driftline-people.1")
    mine = f"Asked the team.\n\n{one['fields']['description']}\n\nSee wiki."
    person.jira.ask(
        "PUT",
        f"/issue/{one['key']}",
        {"fields": {"description": mine, "priority": {"name": "Low"}}},
    )
    person.deliver(wanted("people.1", 2, severity="critical", summary="a and b are public."))
    fields = person.issue("people.1")
    assert fields["priority"]["name"] == "Low"
    assert fields["description"].startswith("Asked the team.")
    assert fields["description"].endswith("See wiki.")
    assert "a and b are public." in (text.part(fields["description"]) or "")


def test_a_project_that_is_not_there_is_said(jira: DataCenter) -> None:
    outcome = Person(jira, project="NOSUCH").deliver(wanted("nosuch.1"))
    assert isinstance(outcome, Never)
    assert "project" in outcome.why


def test_credentials_that_are_refused_wait(person: Person) -> None:
    person.jira.gate.faults = ["refused", "refused"]
    assert person.deliver(wanted("later.1")) == Settled()
    assert len(person.jira.labelled("driftline-later.1")) == 1
