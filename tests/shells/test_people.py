"""The map of one person's names: checked with its places, and used wherever a person is asked for."""

from pathlib import Path

import pytest

from driftline.pipeline.common.errors import UserError
from driftline.pipeline.people.identity import MappedPerson, People
from driftline.pipeline.settings.blocks import load_settings
from driftline.pipeline.settings.people_files import people_of
from tests.shells.test_settings import driftline, problems

ANN = "arn:aws:iam::111111111111:user/ann"
GOOD = f"people: [{{id: ann@example.com, names: ['{ANN}', ann.smith@directory.example]}}]"


def test_names_in_the_settings_are_one_persons() -> None:
    assert problems(GOOD) == []
    people = People([MappedPerson("ann@example.com", [ANN, "Ann.Smith@directory.example"])])
    one = people.person({"id": ANN, "type": "user"})
    role = (
        "arn:aws:iam::1:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef"
    )
    two = people.person(
        {"id": role, "issuer": role, "type": "role", "session_name": "ann.smith@directory.example"}
    )
    assert (one["id"], two["id"], two["kind"]) == (
        "ann@example.com",
        "ann@example.com",
        "directory_user",
    )


def test_a_claim_is_no_name() -> None:
    people = People([MappedPerson("ann@example.com", ["ann", "ann.smith"])])
    role = "arn:aws:iam::1:role/deploy"
    actor = {
        "id": role,
        "issuer": role,
        "type": "role",
        "session_name": "ann",
        "source_identity": "ann.smith",
    }
    assert people.person(actor) == {
        "id": f"{role}/ann",
        "kind": "unknown",
        "name": "",
        "claimed": "ann.smith",
    }
    old = actor | {"id": "ann"}  # the last release took the source identity for the actor's id
    assert people.person(old)["kind"] == "unknown"
    forged = actor | {"issuer": "arn:aws:iam::1:role/AWSReservedSSO_Admin_0123456789abcdef"}
    assert people.person(forged)["kind"] == "unknown"


def test_what_a_session_is_called_names_nobody() -> None:
    session = "arn:aws:sts::1:assumed-role/deploy/ann"
    people = People([MappedPerson("ann@example.com", [session, "arn:aws:iam::1:role/deploy/ann"])])
    for actor in (
        {"id": session, "type": "role"},
        {"id": "arn:aws:iam::1:role/deploy", "issuer": "arn:aws:iam::1:role/deploy", "type": "role", "session_name": "ann"},
        {"id": "arn:aws:iam::1:role/deploy", "type": "role", "person": {"id": session, "kind": "unknown"}},
    ):  # fmt: skip
        assert people.person(actor)["kind"] == "unknown"
    assert "which is chosen by the caller who assumes the role" in problems(f"people: [{{id: a, names: ['{session}']}}]")[0]  # fmt: skip


@pytest.mark.parametrize("named", [True, False])
def test_a_machine_is_itself_whatever_its_next_session_is_called(named: bool) -> None:
    """A role of a machine takes on another one, under the name of another machine."""
    role, other = "arn:aws:iam::1:role/web", "arn:aws:iam::1:role/db"
    person = {"id": "arn:aws:sts::1:assumed-role/web/i-1", "kind": "unknown"} if named else None
    chain = [
        {"session": "ASIA2", "issued_to": role, "role": other} | ({"person": person} if person else {}),
        {"session": "ASIA1", "issued_to": "ec2.amazonaws.com", "role": role, "person": {"id": "ec2.amazonaws.com", "kind": "service"}},
    ]  # fmt: skip
    actor = {"id": other, "issuer": other, "type": "role", "session_name": "i-2", "chain": chain}
    found = People().person(actor)
    assert (found["id"], found["kind"]) == (f"{role}/{'i-1' if named else 'ASIA1'}", "workload")
    first = {"id": role, "issuer": role, "type": "role", "session_name": "i-1", "chain": chain[1:]}
    assert People().person(first)["id"] == f"{role}/i-1"


def test_a_role_that_only_one_takes_may_be_named() -> None:
    role = "arn:aws:iam::1:role/ann-admin"
    people = People([MappedPerson("ann@example.com", [role])])
    actor = {"id": role, "issuer": role, "type": "role", "session_name": "x", "session": "ASIA1"}
    assert people.person(actor) == {
        "id": "ann@example.com",
        "kind": "user",
        "name": "",
        "claimed": "x",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("people: [{id: ann, names: ['arn:aws:iam::*:user/ann']}]", "FILE:1:27: people.0.names: contains a * (write each name"),
        ("people: [{names: [a]}]", "FILE:1:10: people.0.id: is missing (write id and names of one person, or file)"),
        ("people: [{id: a, file: b}]", "people.0.file: cannot be combined with id or names"),
        ("people: [{id: a, name: [b]}]", "unknown setting 'people.0.name' (did you mean"),
        ("people: {id: a}", "people: must be a list"),
    ],
)  # fmt: skip
def test_mistakes_have_their_places(text: str, said: str) -> None:
    assert any(said in problem for problem in problems(text)), problems(text)


FILE = """\
- id: ann
  names: [x, "*"]
- id: bob
  names: [ANN]
- {name: carol}
- dora
- id: eve
  names: [1]
"""


def test_a_file_of_them(tmp_path: Path) -> None:
    (tmp_path / "people.yaml").write_text(FILE)
    (tmp_path / "driftline.yaml").write_text("people:\n  - id: ann\n    names: [ann]\n  - {file: people.yaml}\n  - {file: gone.yaml}\n")  # fmt: skip
    code, said = driftline(tmp_path, "config", "check")
    assert code == 2
    for told in (
        "people.yaml:2:14: names.1: contains a *",
        "people.yaml:3:3: 'ann' is a name of 'ann' too, at driftline.yaml:2:5: people.0",
        "people.yaml:5:10: unknown field 'name' (did you mean 'names'?)",
        "people.yaml:5:3: id: is required and must be text",
        "people.yaml:6:3: expected a person",
        "people.yaml:8:11: names.0: must be text",
        "driftline.yaml:5:5: people.2: there is no file gone.yaml",
    ):
        assert told in said, said
    (tmp_path / "people.yaml").write_text("- {id: ann@example.com, names: [ann]}\n")
    (tmp_path / "driftline.yaml").write_text(f"people: [{{file: {tmp_path / 'people.yaml'}}}]\n")
    assert driftline(tmp_path, "config", "check")[0] == 0
    people = people_of(load_settings(tmp_path / "driftline.yaml").people)
    assert people.id_of("Ann") == "ann@example.com"


def test_a_bad_map_stops_what_would_use_it(tmp_path: Path) -> None:
    (tmp_path / "driftline.yaml").write_text("people: [{file: nowhere.yaml}]\n")
    with pytest.raises(UserError, match=r"there is no file nowhere\.yaml"):
        people_of(load_settings(tmp_path / "driftline.yaml").people)


def test_a_mistake_in_one_entry_hides_none_in_another(tmp_path: Path) -> None:
    """Of lists only the wrong element is left out, and the others are named by their own numbers."""
    (tmp_path / "people.yaml").write_text("- {id: ann, names: [5]}\n")
    text = (
        "people: [{names: [z]}, {file: people.yaml}, {id: q, names: ['a*']}, {id: r, names: [dup]}, {id: s, names: [dup]}]\n"
        "rules: {paths: [5, nope]}\ndrift: {expected: [{tools: [terraform]}, {actors: 5}]}\n"
    )  # fmt: skip
    (tmp_path / "driftline.yaml").write_text(text)
    said = driftline(tmp_path, "config", "check")[1]
    for part in ("people.0.id: is missing", "people.2.names: contains a *", "people.yaml:1:21: names.0: must be text", "people.4: 'dup' is a name of 'r' too",
                 "people.3 (a name", "rules.paths.0: must be a path", "rules.paths.1: no such folder", "drift.expected.0: tools", "drift.expected.1.actors: must be a list"):  # fmt: skip
        assert part in said
