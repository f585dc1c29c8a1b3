"""From what is heard and read to the alert: signals, groups, order, doubles, late ones."""

import random
from pathlib import Path
from typing import Any

import pytest

from driftline.collectors.aws.events.names import NoNames
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.redact import Redactor
from driftline.pipeline.correlate.shard import Correlating
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.model import Actor, Alert, Change, Signal, Snapshot, Unread
from driftline.pipeline.offline.content import watch
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records.counts import Occurrence, Outcome
from driftline.pipeline.records.topics import ALERTS, CHANGES, CONTROL, SIGNALS
from driftline.pipeline.rulebook import Rulebook, load
from driftline.pipeline.settings.blocks import Settings
from driftline.pipeline.state.rows import in_order
from tests.collectors.events.samples import event as call_record
from tests.core.world import RULE, change, heard, key, minute, rulebook, tick, value

LATENESS = 600_000_000
BOB = "arn:aws:iam::111111111111:user/bob"


@pytest.fixture(scope="module")
def content() -> DetectionEngine:
    return watch(Settings())


def event(at: float, service: str, action: str, who: str = "ann", **request: Any) -> bytes:
    raw = {
        "eventSource": f"{service}.amazonaws.com", "eventName": action, "requestParameters": request,
        "userIdentity": {"type": "IAMUser", "userName": who}, "awsRegion": "eu-west-1",
    }  # fmt: skip
    return change(at, who, uid="account:aws:111111111111", type=None, id=f"{action}-{at}", action=action, kind="other", raw=raw).encode()  # fmt: skip


def story() -> list[bytes]:
    """Logging goes, a key is made; bob does the second alone."""
    return [
        event(1, "cloudtrail", "StopLogging", name="main"),
        event(20, "iam", "CreateAccessKey", userName="alice"),
        event(25, "iam", "CreateAccessKey", "bob", userName="alice"),
    ]


def fold(content: DetectionEngine, *records: tuple[str, bytes]) -> Fold:
    world = Fold(rulebook(), watch=content, lateness=LATENESS)
    for topic, record in records:
        world.feed(topic, record)
    assert not world.dead
    return world


def alerts(world: Fold) -> dict[str, list[Alert]]:
    out: dict[str, list[Alert]] = {}
    for one in map(Alert.model_validate, world.told_alerts()):
        out.setdefault(one.title, []).append(one)
    return out


TITLE = "CloudTrail stopped, then access key created for another user"


def test_the_story_is_told(content: DetectionEngine) -> None:
    found = alerts(fold(content, *((CHANGES.name, record) for record in story())))
    (one,) = found[TITLE]
    assert (one.state, one.severity, one.count, one.actors) == ("active", "critical", 2, ["ann"])
    assert [step["what"] for step in one.story] == ["StopLogging", "CreateAccessKey"]
    assert (one.begins, one.at) == (minute(1), minute(20))
    assert one.group == {"driftline.actor.person.id": "ann"}
    assert one.next
    keys = found["Access key created for another user"]
    assert {tuple(alert.actors) for alert in keys} == {("ann",), ("bob",)}


def final(world: Fold) -> list[dict[str, Any]]:
    """What stands, whenever it was said."""
    gone = ("merged", "withdrawn")
    return [
        {k: v for k, v in one.items() if k != "revision"}
        for one in world.told_alerts()
        if one["state"] not in gone
    ]


@pytest.mark.parametrize("seed", range(10))
def test_order_and_doubles_change_nothing(content: DetectionEngine, seed: int) -> None:
    chance = random.Random(seed)
    records = [(CHANGES.name, one) for one in story()]
    end = [(CONTROL.name, tick(60 * 30)), (CONTROL.name, heard(60 * 30))]
    whole = final(fold(content, *records, *end))
    shuffled = [*records, *chance.choices(records, k=3)]
    chance.shuffle(shuffled)
    assert final(fold(content, *shuffled, *end)) == whole
    assert {one["state"] for one in whole} == {"ended"}


def test_what_comes_too_late_is_counted(content: DetectionEngine) -> None:
    times = [(CONTROL.name, tick(120)), (CONTROL.name, heard(120))]
    first, second, _ = story()
    world = fold(content, (CHANGES.name, first), *times, (CHANGES.name, second))
    assert TITLE not in alerts(world)


def test_absence_is_judged_when_time_has_passed(content: DetectionEngine) -> None:
    title = "CloudTrail trail stopped and not restarted"
    stop, again = (event(at, "cloudtrail", action, name="main") for at, action in ((1, "StopLogging"), (31, "StartLogging")))  # fmt: skip
    passed = [(CONTROL.name, tick(90)), (CONTROL.name, heard(90))]
    assert title not in alerts(fold(content, (CHANGES.name, stop)))
    assert title in alerts(fold(content, (CHANGES.name, stop), *passed))
    assert title not in alerts(fold(content, (CHANGES.name, stop), (CHANGES.name, again), *passed))


def test_transitions_are_signals_and_restatements_are_none(content: DetectionEngine) -> None:
    title = "Resource exposed for only a few minutes"
    world = Fold(rulebook(), watch=content, lateness=LATENESS)
    for at, good in ((0, True), (5, False), (9, True), (800, True), (1600, True)):
        world.feed("driftline.snapshots", value(key(at, rotation=good)))
        world.feed(CONTROL.name, tick(at))
    (one,) = alerts(world)[title]
    assert (one.count, one.resources) == (1, [key(0).uid])
    assert one.group == {"driftline.uid": key(0).uid}
    assert one.sentence == f"{title}, on {key(0).uid}, 1 event"


def critical(tmp_path: Path, more: str = "", or_: str = "") -> Rulebook:
    """A rule of severity critical, on keys."""
    (tmp_path / "t-critical.yaml").write_text(RULE.format(
        id="t-critical", title="A key rotates", severity="critical", part="rotation", must="resource.config.rotation.KeyRotationEnabled" + or_,
        more=more, path="config.rotation.KeyRotationEnabled",
    ))  # fmt: skip
    return load([tmp_path], [], builtin=False)


OPENS = "Critical finding opened"


@pytest.mark.parametrize("of_tags", [False, True])
def test_what_was_so_at_the_first_reading_alerts_nobody(
    content: DetectionEngine, tmp_path: Path, of_tags: bool
) -> None:
    book = critical(tmp_path, or_=" || 'exempt' in resource.tags" if of_tags else "")

    def told(*records: Snapshot | Change) -> bool:
        fold = Fold(book, watch=content, lateness=LATENESS)
        for one in records:
            topic = "driftline.snapshots" if isinstance(one, Snapshot) else CHANGES.name
            fold.feed(topic, value(one) if isinstance(one, Snapshot) else one.encode())
        return OPENS in alerts(fold)

    assert not told(key(0, rotation=False))
    assert not told(key(0, rotation=False), key(60, rotation=False))
    assert told(key(0), key(60, rotation=False))  # it has become so
    assert told(key(0, rotation=False).model_copy(update={"appeared": True}))  # it is new
    assert told(change(0), key(1, rotation=False))  # somebody has just changed it
    assert told(change(0, parts=["rotation"]), key(1, rotation=False))
    assert not told(change(0, parts=["policy"]), key(1, rotation=False))  # but another part of it
    assert told(change(0, parts=["tags"]), key(1, rotation=False)) is of_tags
    assert told(key(0, rotation=False), key(60), key(120, rotation=False))  # and so it is again


BAD = {"rotation": False}
UNREAD = {
    "rotation": None,
    "unread": [Unread(part="rotation", reason="denied", code="AccessDeniedException")],
}
NEW = {"appeared": True}


@pytest.mark.parametrize("more", ["", "for: 10m"])
@pytest.mark.parametrize(
    ("readings", "wanted"),
    [
        ([BAD, BAD, BAD], False),
        ([BAD | NEW, BAD, BAD], True),
        ([UNREAD, BAD, BAD], False),
        ([UNREAD | NEW, BAD, BAD], True),
        ([UNREAD, None, BAD, BAD], True),  # somebody has changed it since
        ([BAD, UNREAD, BAD, BAD], False),
        ([BAD, {}, BAD, BAD], True),
        ([UNREAD, {}, BAD, BAD], True),
        ([{}, BAD, BAD], True),
        ([None, BAD, BAD], True),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ticks", [False, True])
def test_a_first_reading_alerts_nobody_though_it_waits_or_was_unread(
    content: DetectionEngine,
    tmp_path: Path,
    more: str,
    readings: list[Any],
    wanted: bool,
    ticks: bool,
) -> None:
    """Readings a quarter of an hour apart; None is a change. With ticks, what waits opens by time alone."""
    world = Fold(critical(tmp_path, more), watch=content, lateness=LATENESS)
    for number, reading in enumerate(readings):
        at = 15 * number
        if reading is None:
            world.feed(CHANGES.name, change(at).encode())
        else:
            world.feed("driftline.snapshots", value(key(at, **reading)))
        if ticks:
            world.feed(CONTROL.name, tick(at + 14))
    assert (OPENS in alerts(world)) is wanted


def test_what_one_session_changed_is_one_change_set(content: DetectionEngine) -> None:
    """Two keys changed by one session, a third by another; the evidence comes late."""
    world = Fold(rulebook(), watch=content, lateness=LATENESS)
    uids = [f"{key(0).uid}{n}" for n in range(3)]
    world.feed(CONTROL.name, heard(0))
    world.feed(CONTROL.name, tick(0))
    for n, uid in enumerate(uids):
        world.feed("driftline.snapshots", value(key(0, uid=uid)))
        world.feed("driftline.snapshots", value(key(2 + n, uid=uid, rotation=False)))
    title = "Several resources changed by one session or deployment"
    assert title not in alerts(world)
    for n, uid in enumerate(uids):
        who = Actor(id="deploy", type="role", session="ASIA2" if n == 2 else "ASIA1")
        world.feed(CHANGES.name, change(1 + n, uid=uid, actor=who).encode())
    (one,) = alerts(world)[title]
    assert (one.count, one.resources, one.severity) == (2, uids[:2], "informational")
    assert one.group == {"driftline.change_set": "ASIA1"}


def test_what_stands_open_in_front_of_which_a_group_is_opened(
    content: DetectionEngine, tmp_path: Path
) -> None:
    """The finding opened three days ago, and is only said again since."""
    (tmp_path / "t-critical.yaml").write_text(RULE.format(
        id="t-critical", title="A key rotates", severity="critical", part="rotation", must="resource.config.rotation.KeyRotationEnabled",
        more="", path="config.rotation.KeyRotationEnabled",
    ))  # fmt: skip
    group = "arn:aws:ec2:eu-west-1:111111111111:security-group/sg-1"
    title = "Security group opened for a resource with a critical finding"

    def opened(at: float) -> bytes:
        raw = content.found.rules[next(id for id, one in content.found.rules.items() if one.name == "aws_security_group_opened")].about["driftline"]["examples"]["base"]  # fmt: skip
        return change(at, uid=group, type=None, id=f"open-{at}", kind="update", raw={k: v for k, v in raw.items() if k != "driftline"}).encode()  # fmt: skip

    for fixed in (False, True):
        world = Fold(load([tmp_path], builtin=False), watch=content, lateness=LATENESS)
        related = [{"relation": "guarded_by", "uid": group}]
        for hour in range(0, 73, 6):
            good = fixed and hour > 66
            world.feed("driftline.snapshots", value(key(hour * 60, rotation=good, related=related)))
            world.feed(CONTROL.name, tick(hour * 60))
        world.feed(CHANGES.name, opened(73 * 60))
        assert (title in alerts(world)) is not fixed


def test_posture_is_with_the_event(content: DetectionEngine) -> None:
    world = Fold(rulebook(), watch=content, lateness=LATENESS)
    world.feed("driftline.snapshots", value(key(0, rotation=False)))
    raw = {"eventName": "CreateAccessKey", "eventSource": "iam.amazonaws.com", "requestParameters": {"userName": "x"}}  # fmt: skip
    state = world._partition.states.load(key(0).uid)
    known = content.known_of(state.body if state else None, None)
    signals = [signal for _, signal in content.event_signals(content.event(change(1, id="e1", raw=raw), known))]  # fmt: skip
    assert {Signal.model_validate(one).fields["open"][0] for one in signals} == {"t-rotation"}


def listened(content: DetectionEngine) -> tuple[Fold, list[bytes]]:
    """A fold, and what its correlator will have taken in."""
    source, taken = Fold(rulebook(), watch=content), list[bytes]()
    groups = source._groups
    assert groups
    feed = groups.feed

    def listening(value: bytes) -> None:
        taken.append(value)
        feed(value)

    groups.feed = listening  # type: ignore[method-assign]
    return source, taken


def test_a_killed_correlator_says_the_same_again(content: DetectionEngine) -> None:
    """Signals in their order, cut anywhere and begun again from what was kept: the same alerts, no double."""
    outputs: list[bytes] = []
    source, taken = listened(content)
    for record in story():
        source.feed(CHANGES.name, record)
    for cut in range(len(taken)):
        rows: dict[bytes, bytes | None] = {}
        said: dict[bytes, bytes] = {}
        for begin, end in ((0, cut + 1), (max(0, cut - 1), len(taken))):
            fold_ = Correlating(0, rows.get, content, LATENESS)
            fold_.restore((k, v) for k, v in rows.items() if v and k[:1] == b"h")
            for offset in range(begin, end):
                fold_.apply(SIGNALS.name, taken[offset], offset)
            work = fold_.take()
            rows.update(work.rows)
            said |= {o.key: o.value for o in work.outputs if o.topic == ALERTS.name}
        outputs.append(b"\n".join(sorted(said.values())))
    assert len(set(outputs)) == 1


def test_a_storm_is_told_and_held_back(content: DetectionEngine) -> None:
    """Of seven alerts of one rule within an hour three may call somebody; the others stand all the same, and stay held."""
    source, taken = listened(content)
    for number in range(7):
        source.feed(CHANGES.name, event(number, "iam", "CreateAccessKey", f"p{number}", userName="alice"))  # fmt: skip
    for more in range(2, 5):  # more of the last one's, and of the first one's
        for who in (0, 6):
            source.feed(CHANGES.name, event(6 + more, "iam", "CreateAccessKey", f"p{who}", userName="alice"))  # fmt: skip
    source.feed(CHANGES.name, event(70, "iam", "CreateAccessKey", "p9", userName="alice"))
    title = "Access key created for another user"
    rows: dict[bytes, bytes | None] = {}
    said: dict[str, Alert] = {}
    held = 0
    for offset, record in enumerate(taken):  # a restart after each
        fold_ = Correlating(0, rows.get, content, LATENESS, sources=1, budget=3)
        fold_.apply(SIGNALS.name, record, offset)
        work = fold_.take()
        rows.update(work.rows)
        held += fold_.counts[Occurrence.HELD_BACK_ALERT]
        for one in (Alert.model_validate_json(o.value) for o in work.outputs if o.topic == ALERTS.name):  # fmt: skip
            if one.title == title:
                said[one.actors[0]] = one
    assert [said[f"p{n}"].held_back for n in (0, 1, 2, 3, 4, 5, 6, 9)] == [False] * 3 + [True] * 4 + [False]  # fmt: skip
    assert said["p6"].count == said["p0"].count > 1, (
        "their later words are held back, or not, as the first was"
    )
    assert held >= 4
    wanted = {one["id"] for one in source.told_alerts() if one["title"] == title}
    assert {one.id for one in said.values()} == wanted, "none is lost"


@pytest.mark.parametrize("seed", range(30))
def test_a_batch_that_is_only_half_durable_counts_all(content: DetectionEngine, seed: int) -> None:
    """Time is kept beside the groups: it must not be known before what came ahead of it."""
    chance = random.Random(seed)
    source, taken = listened(content)
    for number in range(40):
        source.feed(
            CHANGES.name,
            event(number * 7, "iam", "CreateAccessKey", f"p{number % 4}", userName="alice"),
        )
        if number % 4 == 3:
            source.feed(CONTROL.name, tick(number * 7 + 6))
    rows: dict[bytes, bytes | None] = {}
    said: dict[str, Alert] = {}

    def batch(first: int, last: int, share: float) -> None:
        fold_ = Correlating(0, rows.get, content, LATENESS, sources=1)
        fold_.restore((k, v) for k, v in rows.items() if v and k[:1] == b"h")
        for offset in range(first, last):
            fold_.apply(SIGNALS.name, taken[offset], offset)
            while fold_.advance():
                pass
        assert not fold_.counts[Outcome.LATE]
        work = fold_.take()
        for alert in (
            Alert.model_validate_json(o.value) for o in work.outputs if o.topic == ALERTS.name
        ):
            if alert.id not in said or said[alert.id].revision <= alert.revision:
                said[alert.id] = alert
        kept = list(in_order(work.rows).items())
        rows.update(kept[: round(share * len(kept))])

    at = 0
    while at < len(taken):
        last = min(len(taken), at + chance.randint(1, 20))
        batch(at, last, chance.random())
        batch(at, last, 1)
        at = last
    wanted = {one.id: one for one in map(Alert.model_validate, source.told_alerts())}
    assert {id: (one.state, one.count, one.last) for id, one in said.items()} == {
        id: (one.state, one.count, one.last) for id, one in wanted.items()
    }


@pytest.mark.parametrize(
    ("action", "request_", "wanted"),
    [
        ("CreateAccessKey", {"userName": "bob"}, "bob"),
        ("UpdateLoginProfile", {"userName": "bob", "passwordResetRequired": False}, "bob"),
        ("AttachUserPolicy", {"userName": "bob", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, "bob"),
        ("AttachRolePolicy", {"roleName": "ci", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, "ci"),
        ("AddUserToGroup", {"userName": "bob", "groupName": "admins"}, "admins, bob"),
        ("DeactivateMFADevice", {"userName": "bob", "serialNumber": "arn:aws:iam::111111111111:mfa/bob"}, "bob"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("older", [False, True])
def test_an_alert_names_whom_the_request_names(
    content: DetectionEngine, action: str, request_: dict[str, Any], wanted: str, older: bool
) -> None:
    """Of a user that no sweep has seen only the name is known. `older`: by a collector that does not tell it."""
    reader = ChangeReader(Redactor(b"k" * 32), "log", NoNames(), content.wants_of("aws"))
    changes = reader.changes(call_record(action, "iam", requestParameters=request_))
    if older:
        if "userName" not in request_:
            return
        changes = [one.model_copy(update={"named": []}) for one in changes]
        wanted = wanted.removeprefix("admins, ")
    told = [one for each in alerts(fold(content, *((CHANGES.name, one.encode()) for one in changes))).values() for one in each]  # fmt: skip
    assert told
    assert all(f", on {wanted} (named in the request), " in one.sentence for one in told)
    assert all(one.resources == [] for one in told)


@pytest.mark.parametrize(
    ("action", "field"),
    [("DeleteUser", "userName"), ("DeleteRole", "roleName"), ("DeleteServerCertificate", "serverCertificateName")],
)  # fmt: skip
def test_deletions_of_what_no_sweep_has_seen_count_each(
    content: DetectionEngine, action: str, field: str
) -> None:
    """A name without a path makes no uid: the events are the account's, and still about as many resources."""
    reader = ChangeReader(Redactor(b"k" * 32), "log", NoNames(), content.wants_of("aws"))

    def told(names: list[str]) -> bool:
        records = [
            call_record(action, "iam", eventID=f"e{n}", eventTime=f"2026-11-01T00:0{n // 10}:{n % 10:02}Z", requestParameters={field: name})
            for n, name in enumerate(names)
        ]  # fmt: skip
        changes = [change for one in records for change in reader.changes(one)]
        assert {(one.kind, one.type) for one in changes} == {("delete", None)}
        world = fold(content, *((CHANGES.name, one.encode()) for one in (*changes, *changes[::-1])))
        return "Many resources deleted" in alerts(world)

    assert told([f"name-{n}" for n in range(20)])
    assert told([f"{'long-' * 80}{n}" for n in range(20)])
    assert not told([f"name-{n}" for n in range(19)])


def test_an_alert_that_was_merged_counts_no_more(content: DetectionEngine) -> None:
    """Denied calls in two goes become one alert when the ones in between come late: one step of the story, not two."""
    denied = [
        change(at, "ann", uid="account:aws:111111111111", type=None, id=f"d{n}", kind="other", outcome="failure",
               raw={"eventName": f"List{n}", "eventSource": "s3.amazonaws.com", "errorCode": "AccessDenied"}).encode()
        for n, at in enumerate([*(0.1 * n for n in range(20)), *(9 + 0.1 * n for n in range(20))])
    ]  # fmt: skip
    names = {one.id: name for name, one in ((one.name, one) for one in content.found.correlations.values())}  # fmt: skip
    for order in (denied, denied[20:] + denied[:20]):
        world = fold(content, *((CHANGES.name, one) for one in order))
        counted = [one for one in world.told_alerts() if names.get(one["rule"]) == "many_calls_denied"]  # fmt: skip
        assert [one["count"] > 15 for one in counted if one["state"] == "active"] == [True]
        admin = event(30, "iam", "AttachUserPolicy", userName="x", policyArn="arn:aws:iam::aws:policy/AdministratorAccess")  # fmt: skip
        world.feed(CHANGES.name, admin)
        (one,) = alerts(world)["Many denied calls, followed by an administrator policy attachment"]
        assert (one.state, one.count) == ("active", 2)
