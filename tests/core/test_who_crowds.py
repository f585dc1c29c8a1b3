"""Who did it, where many have done something, long ago, or without naming what they changed."""

import random
from typing import Any

import pytest

from driftline.collectors.aws.events.actor import actor as actor_of
from driftline.pipeline.assess.drift.history import MOST, MOST_ACTORS, remembered
from driftline.pipeline.model import Actor, Control, Snapshot
from driftline.pipeline.records.topics import CHANGES, CONTROL
from driftline.pipeline.state.resource import ChangeEvidence
from tests.core.test_who import (
    ALICE,
    GROUP,
    MALLORY,
    NEAR,
    OPEN,
    TYPE,
    Groups,
    accepted,
    opening,
    session,
    user,
)
from tests.core.world import UID, change, key, minute

HOUR = 60


def permission(port: int, cidr: str) -> dict[str, Any]:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": cidr}]}


def revoked(world: Groups, at: float, who: Actor, rule: str) -> None:
    """By the rule's id: the request does not say what is taken away."""
    asked = {"groupId": "sg-1", "securityGroupRuleIds": {"items": [{"securityGroupRuleId": rule}]}}
    world.changed(at, who, request=asked, action="RevokeSecurityGroupIngress")


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("early", [True, False])
def test_who_came_before_many_others_is_not_forgotten(shown: bool, early: bool) -> None:
    world = Groups()
    rules = [permission(1000 + n, f"10.{n}.0.0/16") for n in range(MOST + 6)]
    if early:
        world.opened(1, MALLORY, OPEN)
    for n, rule in enumerate(rules):
        world.opened(1.1 + n / 100, ALICE, rule)
    if not early:
        world.opened(1, MALLORY, OPEN)
    world.read(5, NEAR, OPEN, *(rules if shown else ()))
    world.all_heard(20)
    assert world.who() == ("ambiguous", None)
    assert {one.actor.id for one in world.drift().candidates} == {ALICE.id, MALLORY.id}
    world.feed(CONTROL.name, accepted("mallory", 21))
    assert world.finding().reason == "approver_caused_it"


def test_one_who_did_very_much_is_named() -> None:
    world = Groups()
    world.opened(1, MALLORY, OPEN)
    rules = [permission(1000 + n, f"10.{n}.0.0/16") for n in range(MOST + 6)]
    for n, rule in enumerate(rules):
        world.opened(1.1 + n / 100, MALLORY, rule)
    world.read(5, NEAR, OPEN, *rules)
    world.all_heard(20)
    assert world.drift().attribution == "attributed"
    assert world.who() == ("attributed", MALLORY.id)


def test_of_more_actors_than_are_remembered_nobody_is_named() -> None:
    world = Groups()
    for n in range(MOST_ACTORS + 2):
        world.opened(1 + n / 100, user(f"u{n}"), OPEN)
    for n in range(MOST + 1):
        world.opened(2 + n / 100, ALICE, permission(1000 + n, f"10.{n}.0.0/16"))
    world.read(5, NEAR, OPEN)
    world.all_heard(20)
    assert world.who() == ("ambiguous", None)


def test_what_was_found_out_stands_when_its_events_are_forgotten() -> None:
    world = Groups()
    world.opened(1 * HOUR, MALLORY, OPEN)
    world.opened(5 * HOUR, ALICE, permission(9000, "10.9.0.0/16"))
    revoked(world, 5 * HOUR + 1, ALICE, "sgr-9")
    world.read(6 * HOUR, NEAR, OPEN)
    world.all_heard(6 * HOUR + 20)
    before = world.drift(), world.who()
    world.changed(51 * HOUR, user("bob"), request={"groupId": "sg-1", "description": "words"})
    assert (world.drift(), world.who()) == before
    world.read(51 * HOUR + 1, NEAR, OPEN)
    one = Control.model_validate_json(accepted("mallory", 51 * HOUR + 2)).exception
    assert one
    long = one.model_copy(update={"until": minute(99 * HOUR)})
    world.feed(CONTROL.name, Control(exception=long).encode())
    assert world.finding().reason == "approver_caused_it"


def test_of_two_days_without_a_reading_nobody_is_named_alone() -> None:
    world = Groups()
    world.opened(1 * HOUR, MALLORY, OPEN)
    world.opened(50 * HOUR, ALICE, permission(9000, "10.9.0.0/16"))
    world.read(51 * HOUR, NEAR, OPEN)
    world.all_heard(52 * HOUR)
    assert world.who()[1] is None


def test_each_of_very_many_suspects_is_kept_from_approving() -> None:
    world = Groups()
    for n in range(MOST):
        name = f"ASIA{n}"
        world.opened(
            1 + n / 100,
            session("deploy", f"run-{n}", name, sourceIdentity=f"claimed-{n}"),
            OPEN,
        )
        world.feed(CHANGES.name, opening(name, user(f"zoe-{n}"), 1))
    world.read(5, NEAR, OPEN)
    world.all_heard(20)
    assert world.who() == ("ambiguous", None)
    world.feed(CONTROL.name, accepted("carol", 21))
    assert world.finding().reason == "accepted"
    for n in (0, 7, MOST - 1):
        for name in (f"zoe-{n}", f"CLAIMED-{n}"):
            world.feed(CONTROL.name, accepted(name, 22 + n))
            assert world.finding().reason == "approver_caused_it", name


@pytest.mark.parametrize("order", ["mar", "rma", "amr"])
def test_a_request_that_does_not_name_what_it_changes_excludes_nobody(order: str) -> None:
    world = Groups(NEAR, OPEN)
    for what in order:
        if what == "m":
            revoked(world, 1, MALLORY, "sgr-1")
        elif (
            what == "a"
        ):  # of the rule taken away she named the protocol, and took her own away again
            world.opened(1.2, ALICE, permission(9, "10.9.0.0/16"))
            revoked(world, 1.3, ALICE, "sgr-9")
        else:
            world.read(5, NEAR)
    world.all_heard(20)
    (gone,) = world.drift().changes
    assert (gone.op, gone.attribution) == ("remove", "ambiguous")


def test_what_one_asked_for_as_a_whole_is_hers_whatever_else_happened() -> None:
    world = Groups()
    world.opened(1, MALLORY, OPEN)
    revoked(world, 1.5, ALICE, "sgr-9")
    world.read(5, NEAR, OPEN)
    world.all_heard(20)
    assert world.who() == ("attributed", MALLORY.id)


def folded(changes: list[Any]) -> tuple[list[ChangeEvidence], int]:
    history: tuple[list[ChangeEvidence], int] = ([], 0)
    for one in changes:
        history = remembered(*history, one) or history
    return list(history[0]), history[1]


@pytest.mark.parametrize("count", [3, MOST, MOST + 1, 3 * MOST])
def test_what_is_remembered_does_not_depend_on_the_order(count: int) -> None:
    who = [MALLORY, ALICE, *(session("ci", f"run-{n}", f"ASIA{n}") for n in range(20)),
           actor_of({"userIdentity": {"type": "AWSAccount", "principalId": "AROAX:ci", "accountId": "2" * 12}})]  # fmt: skip
    chance = random.Random(count)
    changes = [
        change(n / 7, id=f"e{n}", uid=UID, actor=chance.choice(who).model_dump(), request={"v": n})
        for n in range(count)
    ]
    first = folded(changes)
    for _ in range(5):
        again = [*changes, *chance.choices(changes, k=count)]
        chance.shuffle(again)
        assert folded(again) == first


def test_a_rule_taken_away_by_its_words_is_told_from_what_others_did() -> None:
    world = Groups(NEAR, OPEN)
    asked = {"groupId": "sg-1", "ipPermissions": {"items": [
        {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}
    ]}}  # fmt: skip
    world.changed(1, MALLORY, request=asked, action="RevokeSecurityGroupIngress")
    world.opened(1.5, ALICE, permission(8443, "10.1.0.0/16"))
    world.changed(
        1.7, user("bob"), request={"groupId": "sg-1", "description": "x"}, action="ModifyGroup"
    )
    world.read(5, NEAR, permission(8443, "10.1.0.0/16"))
    world.all_heard(20)
    assert world.by_place() == {
        22: ("attributed", MALLORY.id),
        8443: ("attributed", ALICE.id),
    }


@pytest.mark.parametrize("untagged", [True, False])
def test_a_tag_is_taken_away_by_its_key(untagged: bool) -> None:
    world = Tagged()
    world.tagged(0, env="prod", owner="al")
    if untagged:
        world.changed(1, MALLORY, parts=["tags"], request={"tagKeys": ["owner"]}, action="UntagResource")  # fmt: skip
    value = "x" if untagged else "al"
    more = [{"key": "project", "value": value}]
    world.changed(1.5, ALICE, parts=["tags"], request={"tags": more}, action="TagResource")
    world.changed(1.6, user("bob"), parts=["tags"], request={"tagKeys": ["env"]}, action="UntagResource")  # fmt: skip
    world.tagged(5, project=value)
    world.all_heard(20)
    made = {c.path: (c.attribution, c.person.id if c.person else None) for c in world.drift().changes}  # fmt: skip
    assert made["/tags/project"] == ("attributed", ALICE.id)
    assert made["/tags/env"] == ("attributed", user("bob").id)
    assert made["/tags/owner"] == (("attributed", MALLORY.id) if untagged else ("ambiguous", None))


class Tagged(Groups):
    """The same group, by its tags."""

    def tagged(self, at: float, **tags: str) -> None:
        one = key(at, None, None, GROUP).model_dump() | {"type": TYPE, "tags": tags}
        group = {"GroupId": "sg-1", "GroupName": "web", "Description": "web", "IpPermissions": []}
        one |= {"config": {"group": group, "prefix_lists": []}}
        one["parts"] = [
            {"name": name, "captured_at": minute(at)} for name in ("group", "prefix_lists")
        ]
        self.snapshot(Snapshot.model_validate(one))

    def read(self, at: float, *_: Any, **__: Any) -> None:
        """Nothing at first."""


def test_who_opened_one_of_many_rules_in_one_reading_is_named() -> None:
    world = Groups()
    many = [permission(3000 + n, f"10.{n}.0.0/16") for n in range(40)]
    pipeline = session("terraform", "run", "ASIAT")
    for n, rule in enumerate(many):
        world.opened(1 + n / 100, pipeline, rule)
    world.opened(1.1, MALLORY, OPEN)
    world.read(5, NEAR, *many[:20], OPEN, *many[20:])
    world.all_heard(20)
    assert world.who() == ("attributed", MALLORY.id)
