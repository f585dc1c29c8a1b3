"""What Jira is asked for: fields, descriptions that fit, ways through workflows, settings with mistakes."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from driftline.sinks.jira import workflow
from driftline.sinks.jira.client import JiraClient
from driftline.sinks.jira.destination import BODY, Jira
from driftline.sinks.jira.settings import JiraSettings
from driftline.sinks.tickets import adf
from tests.sinks.jira.test_data_center import wanted


def jira(**settings: Any) -> Jira:
    own = JiraSettings(**settings)
    return Jira(own, JiraClient(own, lambda: 0.0))


def test_the_fields_of_a_ticket() -> None:
    made = jira(
        assignees={"team-a": "5b10a2", "*": "5b10ff"},
        fields={"customfield_10900": "= document.rule"},
    ).fields(wanted("g.1"))
    assert {name: value for name, value in made.items() if name != "description"} == {
        "summary": "Buckets are private: a", "priority": "High", "duedate": "2026-12-24", "assignee": "5b10a2",
        "customfield_10900": "aws-s3-bucket-private",
    }  # fmt: skip
    assert isinstance(made["description"], list)
    assert isinstance(jira(deployment="data_center").fields(wanted("g.1"))["description"], str)


def test_another_owner_goes_to_the_fallback() -> None:
    assert jira(assignees={"*": "5b10ff"}).fields(wanted("g.1"))["assignee"] == "5b10ff"
    assert "assignee" not in jira(assignees={"team-b": "x"}).fields(wanted("g.1"))
    assert "priority" not in jira(priorities={}).fields(wanted("g.1"))


@pytest.mark.parametrize("deployment", ["cloud", "data_center"])
def test_a_description_fits(deployment: str) -> None:
    ticket = wanted("g.1")
    (member,) = ticket["sections"][0]["members"]
    ticket["sections"][0]["members"] = [
        member | {"resource": f"b{n}", "sentence": "x" * 400} for n in range(200)
    ]
    made = jira(deployment=deployment).fields(ticket)["description"]
    said = adf.text_of(adf.document(made)) if isinstance(made, list) else made
    assert len(said) < BODY
    assert "more are left out here" in said
    assert "How to fix" in said


def test_a_title_fits_in_one_line() -> None:
    title = jira().fields(wanted("g.1", title="a\nb\x00" + "x" * 400))["summary"]
    assert len(title) == 255
    assert title.startswith("a b")


GRAPH: dict[str, list[tuple[str, str]]] = {
    "Open": [("Triage", "indeterminate")],
    "Triage": [("Open", "new"), ("Working", "indeterminate")],
    "Working": [("Triage", "indeterminate"), ("Won't Do", "done"), ("Done", "done")],
    "Done": [("Open", "new")],
    "Stuck": [("Triage2", "indeterminate")],
    "Triage2": [("Stuck", "new"), ("Triage3", "indeterminate")],
    "Triage3": [("Triage2", "indeterminate")],
}


class Walk:
    """A ticket in a workflow."""

    def __init__(self, at: str) -> None:
        self.at, self.steps = at, 0

    async def transitions(self) -> Sequence[Mapping[str, Any]]:
        return [
            {"id": name, "to": {"name": name, "statusCategory": {"key": kind}}}
            for name, kind in GRAPH[self.at]
        ]

    async def do(self, transition: Mapping[str, Any]) -> None:
        self.at, self.steps = transition["id"], self.steps + 1


@pytest.mark.parametrize(
    ("begin", "done", "names", "end"),
    [
        ("Open", True, [], "Won't Do"),
        ("Open", True, ["done"], "Done"),
        ("Working", True, ["Done", "Won't Do"], "Done"),
        ("Done", False, [], "Open"),
        ("Open", True, ["Nowhere"], None),
        ("Stuck", True, [], None),
    ],
)
def test_the_way_through_a_workflow(
    begin: str, done: bool, names: list[str], end: str | None
) -> None:
    walk = Walk(begin)
    moved = asyncio.run(workflow.move(walk.transitions, walk.do, done=done, names=names))
    assert moved is (end is not None)
    if end is not None:
        assert walk.at == end
    assert walk.steps <= workflow.STEPS


def test_only_fields_of_the_screen_are_written() -> None:
    transition: dict[str, Any] = {"fields": {"resolution": {}}}
    assert workflow.screen(transition, {"resolution": {"name": "Done"}, "comment": "x"}) == {
        "resolution": {"name": "Done"}
    }


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"email": "a@example.com"}, "email and token need each other"),
        (
            {"deployment": "data_center", "email": "a@example.com", "token": SecretStr("x")},
            "only of Jira Cloud",
        ),
        ({"url": "jira.example"}, "url"),
        ({"fields": {"a": "= document."}}, "column"),
        ({"project": "sec"}, "project key"),
        ({"lookup_for": 5}, "greater than or equal to 30"),
    ],
)
def test_mistakes_of_the_settings(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as error:
        JiraSettings(**settings)
    assert told in str(error.value)
