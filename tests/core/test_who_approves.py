"""Who may accept a risk: nobody who made it, or made it worse, however they write their name."""

from typing import Any

import pytest

from driftline.pipeline.model import Control, RiskException
from driftline.pipeline.people.identity import MappedPerson, People
from driftline.pipeline.records.topics import CHANGES, CONTROL
from tests.core.test_who import (
    ALICE,
    MALLORY,
    NEAR,
    OPEN,
    SSH,
    SSO,
    WEB,
    Groups,
    opening,
    session,
    user,
)
from tests.core.world import minute

BOTH = OPEN | {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}
WIDE = OPEN | {"FromPort": 0, "ToPort": 65535}
MAP = People([MappedPerson("carl@example.com", [user("carl").id])])


def reason(world: Groups, approver: str, at: float) -> str:
    one = RiskException(
        id="ex-1", rule=SSH, reason="an old machine needs it", owner="bea", approver=approver, at=minute(at), until=minute(6000)
    )  # fmt: skip
    world.feed(CONTROL.name, Control(exception=one).encode())
    return world.finding().reason


@pytest.mark.parametrize(
    ("approver", "blocked"),
    [
        ("mallory@example.com", True), (" Mallory@Example.com ", True), ("Mallory <mallory@example.com>", True),
        ("mallory@example.com (the boss)", True), ("zoe, bob", True), ("zoe|BOB", True), ("bob ", True), ("\uff42\uff4f\uff42", True),
        ("b\u200bob", True), ("user/bob", True), ("mailto:mallory@example.com", True), ("carl", True), ("ci", True),
        ("arn:aws:iam::111111111111:role/deploy", True), ("carl@example.com", True), ("Carl B. <carl@example.com>", True),
        ("zoe", False), ("bobby", False), ("zoe <zoe@example.com>", False), ("", False), ("<>", False),
    ],
)  # fmt: skip
def test_whoever_may_have_made_it_under_any_spelling(approver: str, blocked: bool) -> None:
    world = Groups(people=MAP)
    people = [ALICE, session(SSO, "mallory@example.com", "ASIAM"), user("bob"), session("deploy", "ci", "ASIAX"), session("deploy", "ci", "ASIAY")]  # fmt: skip
    for n, who in enumerate(people):
        world.opened(1 + n / 100, who, OPEN)
    world.feed(CHANGES.name, opening("ASIAX", user("carl"), 0.5))
    world.read(2, NEAR, OPEN)
    world.all_heard(20)
    assert world.who() == ("ambiguous", None)
    assert reason(world, approver, 21) == ("approver_caused_it" if blocked else "accepted")


def widened(world: Groups, at: float) -> None:
    asked = {"groupId": "sg-1", "ipPermissions": {"items": [
        {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipv6Ranges": {"items": [{"cidrIpv6": "::/0"}]}}
    ]}}  # fmt: skip
    world.changed(at, MALLORY, request=asked, action="AuthorizeSecurityGroupIngress")


@pytest.mark.parametrize("late", [True, False])
@pytest.mark.parametrize("now", [[NEAR, BOTH], [NEAR, WIDE]])
def test_whoever_made_it_worse_while_it_failed(now: list[dict[str, Any]], late: bool) -> None:
    world = Groups()
    world.opened(1, ALICE, OPEN)
    world.read(2, NEAR, OPEN)
    world.all_heard(5)
    if late:
        world.read(7, *now)
    if BOTH in now:
        widened(world, 6)
    else:
        world.opened(6, MALLORY, WIDE)
    if not late:
        world.read(7, *now)
    world.opened(8, user("bob"), WEB)
    world.read(9, *now, WEB)
    world.all_heard(20)
    assert world.who() == ("attributed", ALICE.id), "who began it"
    assert reason(world, "mallory", 21) == "approver_caused_it"
    assert reason(world, "alice", 22) == "approver_caused_it"
    assert reason(world, "bob", 23) == "accepted", "what he did the rule does not mind"
    assert reason(world, "zoe", 24) == "accepted"
    world.read(30, NEAR)
    world.opened(31, ALICE, OPEN)
    world.read(32, NEAR, OPEN)
    world.all_heard(50)
    assert reason(world, "mallory", 51) == "accepted", "it is another one's now"
