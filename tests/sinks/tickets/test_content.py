"""What a ticket says, in every form: readable, and hostile text is nothing but text."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.sinks.tickets import adf, content, text, wiki
from driftline.sinks.tickets.destination import Refused
from driftline.sinks.tickets.templates import filled, template_mistakes

HOSTILE = st.text(
    st.sampled_from("ab \n\t\x00\u202e{}[]|*_-+^~?!#@:;(\\/<>&\"'") | st.characters(), max_size=60
)


def ticket(
    name: str = "bucket-a", words: str = "bucket-a is public.", **more: Any
) -> dict[str, Any]:
    member = {
        "id": "finding:1", "state": "failing", "resource": name, "type": "AWS::S3::Bucket", "region": "eu-west-1", "severity": "high",
        "sentence": words, "since": "2026-01-01T00:00:00.000000Z", "link": "https://console.example/a", "actor": "ann",
    }  # fmt: skip
    known = {
        "summary": words, "severity": "high", "rule": "r", "owner": {"id": "team-a", "found_by": "tag"}, "why": "Anyone can read it.",
        "sections": [{"account": "111111111111", "name": "prod", "members": [member]}], "fix": {"for": name, "cli": "aws s3api x"},
        "references": ["https://docs.example/x", "javascript:alert(1)"], "frameworks": {"cis": ["2.1"]}, "due_at": "2026-12-24T00:00:00Z",
    }  # fmt: skip
    return known | more


def test_as_plain_text() -> None:
    assert content.plain(content.blocks(ticket())) == (
        "bucket-a is public.\n\n"
        "Why it matters: Anyone can read it.\n\n"
        "Severity: high, Rule: r, Owner: team-a (by tag), Due: 2026-12-24\n\n"
        "PROD (111111111111)\n\n"
        "- bucket-a <https://console.example/a>: where: AWS::S3::Bucket eu-west-1; state: fails;"
        " why: bucket-a is public. Caused by ann.\n\n"
        "HOW TO FIX BUCKET-A\n\n"
        "By command:\n\n"
        "    aws s3api x\n\n"
        "MORE\n\n"
        "- https://docs.example/x\n\n"
        "Controls: cis 2.1"
    )


def test_an_unread_member_says_since_when() -> None:
    one = ticket()
    one["sections"][0]["members"][0]["unread_since"] = "2026-01-02T03:04:05.000000Z"
    assert "fails (not read since 2026-01-02T03:04Z)" in content.plain(content.blocks(one))


def _nodes(node: adf.Node) -> list[adf.Node]:
    return [node, *(found for one in node.get("content", ()) for found in _nodes(one))]


@settings(deadline=None)
@given(name=HOSTILE, words=HOSTILE)
def test_hostile_text_makes_no_other_nodes(name: str, words: str) -> None:
    """The same structure as of harmless names; no empty text, no link but http."""
    made = adf.document(adf.nodes(content.blocks(ticket(f"n{name}", f"w{words}"))))
    kinds = [node["type"] for node in _nodes(made)]
    assert kinds == [
        node["type"] for node in _nodes(adf.document(adf.nodes(content.blocks(ticket("n", "w")))))
    ]
    for node in _nodes(made):
        if node["type"] == "text":
            assert node["text"]
            assert not set(node["text"]) & {"\x00", "\u202e"}
        for mark in node.get("marks", ()):
            assert mark["type"] != "link" or mark["attrs"]["href"].startswith("https://")


@settings(deadline=None)
@given(name=HOSTILE)
def test_hostile_names_stay_in_their_cell(name: str) -> None:
    made = wiki.markup(content.blocks(ticket(f"n{name}")))
    (row,) = [line for line in made.splitlines() if line.startswith("|[")]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 6  # five of the table, one of the link


@settings(deadline=None)
@given(before=HOSTILE, after=HOSTILE, ours=HOSTILE, again=HOSTILE)
def test_our_part_is_replaced_and_nothing_else(
    before: str, after: str, ours: str, again: str
) -> None:
    ours, again = text.harmless(ours), text.harmless(again)
    whole = f"{before}{text.marked(ours)}{after}"
    if text.BEGIN in before or text.END in before:
        return
    assert text.merged(whole, again) == f"{before}{text.marked(again)}{after}"


def test_our_part_of_a_document_is_replaced_and_nothing_else() -> None:
    mine, yours = adf.paragraph("mine"), adf.paragraph("yours")
    made = adf.merged(adf.document([yours]), [mine])
    assert adf.has_part(made)
    assert made["content"][0] == yours
    moved = adf.document([*made["content"], adf.paragraph("below")])
    anew = adf.merged(moved, [adf.paragraph("other")])
    assert [adf.text_of(node) for node in anew["content"]] == [
        "yours",
        text.BEGIN,
        "other",
        text.END,
        "below",
    ]
    assert not adf.has_part(adf.document([yours]))
    assert adf.merged(None, [mine]) == adf.document(adf.marked([mine]))


def test_fields_are_filled_by_expressions() -> None:
    known = {"rule": "r", "sections": [{"account": "1"}], "severity": "high"}
    fields = {
        "a": "= document.rule + '!'", "b": {"value": "= document.severity"}, "c": ["= document.sections[0].account", "x"],
        "d": 3, "e": "= size(document.sections)", "f": "= document.severity in ['high'] ? 'P1' : 'P3'",
    }  # fmt: skip
    assert filled(fields, known) == {
        "a": "r!",
        "b": {"value": "high"},
        "c": ["1", "x"],
        "d": 3,
        "e": 1,
        "f": "P1",
    }


def test_an_expression_without_a_value_is_refused_with_its_field() -> None:
    with pytest.raises(Refused, match=r"fields\.team:"):
        filled({"team": "= document.owner.id"}, {"rule": "r"})


def test_an_expression_that_does_not_compile_is_a_mistake_of_the_settings() -> None:
    (mistake,) = template_mistakes(
        "fields", {"a": ["= document."], "b": "plain", "c": "= document.rule"}
    )
    assert mistake.fields == ("fields",)
    assert "column" in mistake.text
