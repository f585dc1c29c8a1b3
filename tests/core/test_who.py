"""Who did it: place by place, and person by person; nobody on a guess."""

from functools import cache
from typing import Any

import orjson
import pytest

from driftline.collectors.aws.events.actor import actor as actor_of
from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.model import (
    Actor,
    Change,
    Control,
    Drift,
    Finding,
    RiskException,
    finding_id,
)
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.people.identity import MappedPerson, People
from driftline.pipeline.records.topics import CHANGES, CONTROL
from driftline.pipeline.rulebook import Rulebook, load
from tests.collectors.events.samples import by_role, event
from tests.core.world import change, heard, key, minute, tick

GROUP = "arn:aws:ec2:eu-west-1:111111111111:security-group/sg-1"
TYPE = "AWS::EC2::SecurityGroup"
SSH = "aws-ec2-security-group-no-ssh-from-internet"
SSO = "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Admin_0123456789abcdef"
NEAR = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
OPEN = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
WEB = {"IpProtocol": "tcp", "FromPort": 8443, "ToPort": 8443, "IpRanges": [{"CidrIp": "10.1.0.0/16", "Description": "the new front"}]}  # fmt: skip


@cache
def rules() -> Rulebook:
    return load().only(types=[TYPE])


def user(name: str) -> Actor:
    return Actor(id=f"arn:aws:iam::111111111111:user/{name}", type="user", name=name)


def session(role: str, name: str, credential: str = "ASIA1", **context: Any) -> Actor:
    return actor_of(event("X", "y", userIdentity=by_role(role, name, **context) | {"accessKeyId": credential}))  # fmt: skip


class Groups(Fold):
    """A security group, events that come, and all that is ever said."""

    def __init__(self, *first: dict[str, Any], people: People | None = None) -> None:
        self.every: list[dict[str, Any]] = []
        super().__init__(rules(), AssessOptions(people=people or People()))
        self.feed(CONTROL.name, heard(0))
        self.feed(CONTROL.name, tick(0))
        self.read(0, *(first or (NEAR,)))

    def read(self, at: float, *permissions: dict[str, Any], description: str = "web") -> None:
        group = {
            "GroupId": "sg-1",
            "GroupName": "web",
            "Description": description,
            "IpPermissions": list(permissions),
        }
        one = key(at, None, None, GROUP).model_dump() | {
            "type": TYPE,
            "config": {"group": group, "prefix_lists": []},
        }
        one["parts"] = [
            {"name": name, "captured_at": minute(at)} for name in ("group", "prefix_lists")
        ]
        self.snapshot(type(key(0)).model_validate(one))

    def opened(self, at: float, who: Actor, permission: dict[str, Any], **more: Any) -> None:
        """An event as CloudTrail writes it."""
        asked = {
            "groupId": "sg-1",
            "ipPermissions": {"items": [{
                "ipProtocol": permission["IpProtocol"], "fromPort": permission["FromPort"], "toPort": permission["ToPort"], "groups": {},
                "ipRanges": {"items": [{k[0].lower() + k[1:]: v for k, v in r.items()} for r in permission["IpRanges"]]},
            }]},
        }  # fmt: skip
        self.changed(at, who, request=asked, action="AuthorizeSecurityGroupIngress", **more)

    def changed(self, at: float, who: Actor, **more: Any) -> None:
        given = {"id": f"{who.id}-{who.session}-{at}", "uid": GROUP, "type": TYPE, "parts": ["group"], "actor": who.model_dump()}  # fmt: skip
        self.feed(CHANGES.name, change(at, **(given | more)).encode())

    def drift(self) -> Drift:
        return max(map(Drift.model_validate_json, self.drifts.values()), key=lambda one: one.at)

    def finding(self, rule: str = SSH) -> Finding:
        return Finding.model_validate_json(self.findings[finding_id(rule, GROUP).encode()])

    def who(self) -> tuple[str | None, Any]:
        """The SSH finding's attribution and person."""
        one = self.finding()
        return one.attribution, one.actor["person"]["id"] if one.actor else None

    def by_place(self) -> dict[Any, tuple[str | None, str | None]]:
        """Of each rule of the newest drift, by port: attribution and person."""
        return {
            (c.after or c.before or {}).get("FromPort"): (c.attribution, c.person.id if c.person else None)
            for c in self.drift().changes
        }  # fmt: skip

    def all_heard(self, at: float) -> None:
        self.feed(CONTROL.name, heard(at))
        self.feed(CONTROL.name, tick(at))


MALLORY, ALICE = user("mallory"), user("alice")
ORDERS = ["mar", "amr", "rma", "ram", "mra", "arm"]


@pytest.mark.parametrize("order", ORDERS)
def test_two_rules_by_two_people_in_one_reading(order: str) -> None:
    world = Groups()
    for what in order:
        if what == "m":
            world.opened(1, MALLORY, OPEN)
        elif what == "a":
            world.opened(1.2, ALICE, WEB)
        else:
            world.read(2, NEAR, OPEN, WEB)
        if world.drifts:
            made = world.by_place()
            assert made[22][1] in (None, MALLORY.id)
            assert made[8443][1] in (None, ALICE.id)
            assert world.who()[1] in (None, MALLORY.id)
    drift = world.drift()
    assert world.by_place() == {22: ("attributed", MALLORY.id), 8443: ("attributed", ALICE.id)}
    assert (drift.attribution, drift.actor) == ("ambiguous", None)
    assert world.who() == ("attributed", MALLORY.id)


def test_both_opened_the_same() -> None:
    world = Groups()
    world.opened(1, MALLORY, OPEN)
    world.opened(1.2, ALICE, OPEN)
    world.read(2, NEAR, OPEN)
    assert world.who() == ("ambiguous", None)


def test_one_rule_with_two_peoples_ranges() -> None:
    world = Groups()
    world.opened(1, MALLORY, OPEN)
    world.opened(1.2, ALICE, OPEN | {"IpRanges": [{"CidrIp": "10.1.0.0/16"}]})
    world.read(2, NEAR, OPEN | {"IpRanges": [{"CidrIp": "0.0.0.0/0"}, {"CidrIp": "10.1.0.0/16"}]})
    assert world.who() == ("ambiguous", None)


def test_two_who_each_suffice_are_both_the_cause() -> None:
    world = Groups()
    world.opened(1, MALLORY, OPEN)
    six = {"IpProtocol": "tcp", "FromPort": 20, "ToPort": 25, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    world.opened(1.2, ALICE, six)
    world.read(2, NEAR, OPEN, six)
    assert world.by_place() == {22: ("attributed", MALLORY.id), 20: ("attributed", ALICE.id)}
    assert world.who() == ("ambiguous", None)


def test_somebody_is_named_where_it_is_simple() -> None:
    world = Groups()
    world.opened(1, MALLORY, OPEN)
    world.read(1.1, NEAR, OPEN)
    assert world.who() == ("attributed", MALLORY.id)
    assert world.drift().actor


def test_a_description_beside_it_makes_nobody_the_cause() -> None:
    world = Groups()
    world.opened(1, MALLORY, OPEN)
    world.changed(
        1.2,
        ALICE,
        action="ModifyGroup",
        request={"groupId": "sg-1", "description": "front of the shop"},
    )
    world.read(2, NEAR, OPEN, description="front of the shop")
    assert world.who() == ("attributed", MALLORY.id)


def test_where_an_event_is_missing_nobody_is_blamed_for_what_the_other_one_did() -> None:
    world = Groups()
    world.opened(1.2, ALICE, WEB)
    world.read(2, NEAR, OPEN, WEB)
    assert world.by_place() == {22: ("pending", None), 8443: ("attributed", ALICE.id)}
    assert world.who() == ("pending", None)
    world.opened(1, MALLORY, OPEN)
    assert world.who() == ("attributed", MALLORY.id)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (session(SSO, "mallory@example.com"), session(SSO, "alice@example.com", "ASIA2")),
        (session("deploy", "mallory"), session("deploy", "alice", "ASIA2")),
        (session("deploy", "ci"), session("deploy", "ci", "ASIA2")),
        (session("deploy", "ci", sourceIdentity="ann"), session("deploy", "ci", "ASIA2", sourceIdentity="ann")),
    ],
)  # fmt: skip
def test_two_people_through_one_role_are_two(one: Actor, two: Actor) -> None:
    world = Groups()
    world.changed(1, one, request=None)
    world.changed(1.2, two, request=None)
    world.read(2, NEAR, OPEN)
    assert world.who() == ("ambiguous", None)
    assert world.drift().attribution == "ambiguous"


def test_one_person_in_two_sessions_is_one() -> None:
    world = Groups()
    world.changed(1, session(SSO, "ann@example.com"), request=None)
    world.changed(
        1.2, session(SSO.replace("Admin", "Audit"), "ann@example.com", "ASIA2"), request=None
    )
    world.read(2, NEAR, OPEN)
    assert world.who() == ("attributed", "ann@example.com")
    assert world.drift().change_set == "ann@example.com"


def opening(
    credential: str, who: Actor, at: float = 0.5, role: str = "deploy", **more: Any
) -> bytes:
    """An AssumeRole."""
    given = {"id": f"assume-{credential}-{who.id}", "type": None, "kind": "session", "action": "AssumeRole", "actor": who.model_dump(),
             "resources": [f"arn:aws:iam::111111111111:role/{role}"]}  # fmt: skip
    return change(at, uid=f"session:{credential}", **(given | more)).encode()


def test_the_origin_of_a_chain_is_the_person_whatever_is_claimed() -> None:
    world = Groups()
    world.feed(CHANGES.name, opening("ASIA1", ALICE))
    world.feed(CHANGES.name, opening("ASIA2", ALICE))
    world.changed(1, session("deploy", "bob", sourceIdentity="carol"), request=None)
    world.changed(1.2, session("deploy", "dave", "ASIA2"), request=None)
    world.read(2, NEAR, OPEN)
    assert world.who() == ("attributed", ALICE.id)
    claims = {one.actor.person.claimed for one in world.drift().candidates if one.actor.person}
    assert claims == {"carol", "dave"}
    world.feed(CHANGES.name, opening("ASIA3", MALLORY))
    world.changed(1.3, session("deploy", "bob", "ASIA3"), request=None)
    assert world.who() == ("ambiguous", None)


def test_who_called_over_identity_center_is_followed_through_roles() -> None:
    world = Groups()
    world.feed(CHANGES.name, opening("ASIA2", session(SSO, "ann@example.com")))
    world.changed(1, session("deploy", "x", "ASIA2"), request=None)
    world.changed(1.1, session(SSO, "ann@example.com", "ASIA9"), request=None)
    world.read(2, NEAR, OPEN)
    assert world.who() == ("attributed", "ann@example.com")


def test_of_another_accounts_copy_alone_the_chain_is_broken() -> None:
    copy = actor_of(
        {
            "userIdentity": {
                "type": "AWSAccount",
                "principalId": "AIDAEXAMPLE",
                "accountId": "222222222222",
            }
        }
    )
    for records in ([copy], [copy, ALICE], [ALICE, copy]):
        world = Groups()
        for number, who in enumerate(records):
            world.feed(CHANGES.name, opening("ASIA1", who, id=str(number), shared="s"))
        world.changed(1, session("deploy", "x"), request=None)
        world.read(2, NEAR, OPEN)
        (seen,) = world.drift().candidates
        assert seen.actor.chain_broken is (len(records) == 1)
        assert seen.actor.person
        assert seen.actor.person.kind == ("unknown" if len(records) == 1 else "user")


def test_a_users_own_session_is_no_broken_chain() -> None:
    console = actor_of(event("X", "y", userIdentity={
        "type": "IAMUser", "arn": ALICE.id, "accountId": "111111111111", "userName": "alice", "accessKeyId": "ASIACONSOLE",
    }))  # fmt: skip
    world = Groups()
    world.changed(1, console, request=None)
    world.read(2, NEAR, OPEN)
    actor = world.drift().actor
    assert actor
    assert (actor.chain_broken, actor.person and actor.person.id) == (False, ALICE.id)
    world = Groups()
    world.feed(CHANGES.name, opening("ASIA1", console))
    world.changed(1, session("deploy", "x"), request=None)
    world.read(2, NEAR, OPEN)
    actor = world.drift().actor
    assert actor
    assert (actor.chain_broken, actor.person and actor.person.id) == (False, ALICE.id)


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0), (1, 0, 1)])
def test_one_event_with_two_contents(order: tuple[int, ...]) -> None:
    copies: list[dict[str, Any]] = [
        {"request": None},
        {"request": {"port": 22, "cidr": "0.0.0.0/0"}},
    ]
    world = Groups()
    for number in order:
        world.changed(1, MALLORY, id="e", **copies[number])
    world.read(2, NEAR, OPEN)
    (one,) = world.drift().candidates
    assert (one.differs, one.confidence > 0.7) == (True, True)
    assert world.who() == ("attributed", MALLORY.id)


# Who may accept it


def accepted(approver: str, at: float = 3) -> bytes:
    one = RiskException(
        id="ex-1", rule=SSH, reason="an old machine needs it", owner="bea", approver=approver, at=minute(at), until=minute(600)
    )  # fmt: skip
    return Control(exception=one).encode()


MAP = People([MappedPerson("mallory@example.com", [MALLORY.id])])


@pytest.mark.parametrize(
    ("approver", "people", "reason"),
    [
        ("carol", None, "accepted"), ("mallory", None, "approver_caused_it"), ("alice", None, "approver_caused_it"),
        ("mallory@example.com", None, "accepted"), ("mallory@example.com", MAP, "approver_caused_it"),
        ("Mallory@Example.com", MAP, "approver_caused_it"),
    ],
)  # fmt: skip
def test_whoever_may_have_caused_it_cannot_accept_it(
    approver: str, people: People | None, reason: str
) -> None:
    world = Groups(people=people)
    world.opened(1, MALLORY, OPEN)
    world.opened(1.2, ALICE, OPEN)
    world.read(2, NEAR, OPEN)
    assert world.finding().attribution == "ambiguous"
    world.feed(CONTROL.name, accepted(approver))
    assert world.finding().reason == reason


def test_whoever_did_something_else_may() -> None:
    world = Groups()
    world.opened(1, MALLORY, OPEN)
    world.opened(1.2, ALICE, WEB)
    world.read(2, NEAR, OPEN, WEB)
    world.feed(CONTROL.name, accepted("alice"))
    assert world.finding().reason == "accepted"


RANGE = {"CidrIp": "0.0.0.0/0"}


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        ([OPEN, NEAR, WEB], "accepted"),
        ([OPEN | {"IpRanges": [RANGE | {"Description": "other words"}]}], "accepted"),
        ([OPEN | {"IpRanges": [RANGE, {"CidrIp": "10.2.0.0/16"}]}], "accepted"),
        ([OPEN, NEAR | {"IpRanges": [RANGE]}], "accepted"),
        ([OPEN, NEAR | {"FromPort": 20, "ToPort": 25, "IpRanges": [RANGE]}], "worse_than_accepted"),
        ([OPEN | {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]}], "worse_than_accepted"),
        ([OPEN | {"FromPort": 0, "ToPort": 65535}], "worse_than_accepted"),
    ],
)  # fmt: skip
def test_worse_is_what_the_rule_itself_objects_to(now: list[dict[str, Any]], reason: str) -> None:
    world = Groups(NEAR, OPEN)
    world.feed(CONTROL.name, accepted("carol", 1))
    assert world.finding().reason == "accepted"
    world.read(2, *now, description="and other words here")
    assert world.finding().reason == reason


def test_everything_said_holds_to_its_model() -> None:
    world = Groups()
    world.opened(1, MALLORY, OPEN)
    world.read(2, NEAR, OPEN)
    for value in world.drifts.values():
        assert Drift.model_validate(orjson.loads(value)).changes[0].person
    assert Change.model_validate_json(change(1).encode()).actor.id == "ann"
