"""Claims about who is behind a session: an account can tell of its own callers alone, a credential is of one role, and
where copies of one event disagree nobody is named, in whatever order they come."""

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftline.collectors.aws.events.record import issued
from driftline.pipeline.model import Actor, Change
from driftline.pipeline.people.identity import (
    MappedPerson,
    People,
    identify,
    vouched_names,
)
from driftline.pipeline.people.session_chains import Session, on_issued, on_query, session_query
from driftline.pipeline.settings.people_files import wrong
from tests.core.world import change

A, X, Y = "111111111111", "222222222222", "333333333333"
ROLE = f"arn:aws:iam::{Y}:role/web"
UNKNOWN = "unknown"


def user(name: str, account: str = A) -> Actor:
    return Actor(id=f"arn:aws:iam::{account}:user/{name}", type="user", name=name, account=account)


def stranger(account: str = A) -> Actor:
    """A caller as another account is told of it."""
    return Actor(id=f"AIDA{'X' * 17}", type="account", account=account)


def within(session: str, role: str = f"arn:aws:iam::{A}:role/ops") -> Actor:
    return Actor(id=role, type="role", issuer=role, account=A, session=session, session_name="bea")


def taken(by: Actor, told: str, id: str = "e", role: str = ROLE) -> Change:
    """A copy of the event by which ASIA1 was given out, as it was told to an account."""
    return change(
        1, uid="session:ASIA1", id=id, type=None, kind="session", action="AssumeRole", account=told, actor=by.model_dump(),
        resources=[role],
    )  # fmt: skip


def behind(copies: list[Change]) -> tuple[dict[str, Any], bool]:
    """Who is named for an event of the session, and whether its chain is broken."""
    known: Session | None = on_query(None, session_query("arn:x", "ASIA1", 0)).session
    for copy in copies:
        if (told := on_issued(known, copy)) is not None:
            known = told.session
    answer = on_query(known, session_query("arn:x", "ASIA1", 0)).out[0]
    links = [link.model_dump(mode="json", exclude_none=True) for link in answer.links]
    actor = {
        "id": ROLE,
        "type": "role",
        "issuer": ROLE,
        "session": "ASIA1",
        "session_name": "bea",
        "chain": links,
    }
    return People().person(actor), answer.broken


def test_each_account_tells_of_its_own() -> None:
    mine, theirs = taken(user("ann"), A), taken(stranger(), Y)
    for order in permutations([mine, theirs, mine]):
        person, broken = behind(list(order))
        assert (person["id"], broken) == (user("ann").id, False)


CONTRADICTIONS = {
    "two persons": [taken(user("ann"), A), taken(user("bea"), A, "other")],
    "another account's user": [taken(user("ann"), A), taken(user("victim", X), X, "other")],
    "the role's account tells of another caller": [taken(stranger(), Y), taken(user("victim", X), X)],
    "two sessions": [taken(within("ASIA7"), A), taken(within("ASIA8"), A, "other")],
    "a session and a user": [taken(within("ASIA7"), A), taken(user("victim", X), X)],
}  # fmt: skip


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_where_copies_disagree_nobody_is_named(what: str) -> None:
    copies = CONTRADICTIONS[what]
    for order in permutations(
        [
            *copies,
            copies[0],
            taken(stranger(), Y) if what != "another account's user" else copies[1],
        ]
    ):
        person, broken = behind(list(order))
        assert (person["kind"], broken) == (UNKNOWN, True)


def test_what_an_account_says_of_anothers_user_is_not_believed() -> None:
    """Whoever can write events of an account (its files) could blame anybody."""
    forged = taken(user("victim"), X, "forged")
    assert behind([forged])[0]["kind"] == UNKNOWN
    for order in permutations([forged, taken(user("ann"), A)]):
        assert behind(list(order))[0]["id"] == user("ann").id


@given(st.permutations([
    taken(user("ann"), A), taken(user("ann"), A, "again"), taken(stranger(), Y), taken(user("victim"), X), taken(user("zed", X), X),
    taken(within("ASIA7"), A), taken(within("ASIA8"), A),
]), st.integers(0, 7))  # fmt: skip
def test_in_whatever_order_copies_come_the_same_is_said(copies: list[Change], count: int) -> None:
    some = copies[:count]
    first = behind(sorted(some, key=lambda one: one.encode()))
    assert behind(some) == first
    assert behind([*reversed(some), *some]) == first


def test_a_credential_is_of_one_role() -> None:
    """An account says of a credential of another's role that its own user had it."""
    other = f"arn:aws:iam::{X}:role/any"
    assert behind([taken(user("victim", X), X, role=other)])[0]["kind"] == UNKNOWN
    assert (
        behind([taken(user("ann"), A, role=ROLE.replace("web", "WEB"))])[0]["id"] == user("ann").id
    )
    links = [
        {"session": "ASIA1", "issued_to": within("ASIA7").id, "role": ROLE, "person": {"id": "?", "kind": UNKNOWN}},
        {"session": "ASIA7", "issued_to": user("ann").id, "role": "arn:aws:iam::1:role/else", "person": {"id": user("ann").id, "kind": "user"}},
    ]  # fmt: skip
    actor = {"id": ROLE, "type": "role", "issuer": ROLE, "session": "ASIA1", "chain": links}
    assert People().person(actor)["kind"] == UNKNOWN
    links[1]["role"] = within("ASIA7").id
    assert People().person(actor)["id"] == user("ann").id


@pytest.mark.parametrize("id", [f"AROA{'X' * 17}:ann", f"{A}:ann", f"arn:aws:sts::{A}:assumed-role/web/ann"])  # fmt: skip
def test_what_a_caller_has_chosen_of_an_id_decides_nothing(id: str) -> None:
    """Another account is told a session's unique id, which ends with the name that its caller chose."""
    actor = Actor(id=id, type="account", account=A).model_dump(mode="json", exclude_none=True)
    assert not any("ann" in name for name in vouched_names(actor))
    assert People().without_session_name(id) == id.removesuffix("ann")
    assert wrong(id)
    assert People([MappedPerson("ann@example.com", [id])]).person(actor)["kind"] == UNKNOWN
    seen = identify(actor)
    assert "ann" not in seen["principal"]


def test_only_sts_gives_out_credentials() -> None:
    record = {
        "eventName": "AssumeRole",
        "responseElements": {"credentials": {"accessKeyId": "ASIA1"}},
    }
    assert issued(record | {"eventSource": "sts.amazonaws.com"}) == ("ASIA1", None)
    for source in (None, "", "partner.example.com", "stsx.amazonaws.com", 5):
        assert issued(record | {"eventSource": source}) is None
