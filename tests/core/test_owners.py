"""Who owns a resource: computed once, from what is known of it alone, and told by all that is said of it."""

import itertools
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.assess.ownership.owner_id import LONGEST, owner_id
from driftline.pipeline.assess.ownership.sources import Facts, OwnerRow, Owners
from driftline.pipeline.assess.shard import Partition
from driftline.pipeline.common.wildcards import matches
from driftline.pipeline.model import (
    Ancestor,
    Baseline,
    CloudAccount,
    Container,
    Control,
    Snapshot,
    Unread,
)
from driftline.pipeline.records.topics import CONTROL, SNAPSHOTS
from driftline.pipeline.state import rows
from driftline.pipeline.state.resource import Body
from tests.core.world import (
    TYPE,
    UID,
    Kept,
    World,
    change,
    denied,
    gone,
    key,
    minute,
    rulebook,
    tick,
    value,
)

ABOVE = [
    Ancestor(kind="organizational_unit", id="ou-2", name="Payments"),
    Ancestor(kind="organizational_unit", id="ou-1", name="Workloads"),
    Ancestor(kind="organization", id="o-1"),
]
SHOP = CloudAccount(kind="account", id="111111111111", name="shop", ancestors=ABOVE)
ROWS = [
    OwnerRow("by-workspace", workspace="pay/*"),
    OwnerRow("by-folder", folder="Workloads/*"),
    OwnerRow("by-map", account="Workloads/Payments/sh*", type="AWS::KMS::*"),
]
DECLARED = Baseline(
    uid=UID, type=TYPE, kind="declared", at=minute(0), by="terraform", source="pay/prod"
)
NOT_READ = [Unread(part="tags", reason="denied", code="AccessDenied")]


def world(*rows: OwnerRow, **more: Any) -> World:
    return World(AssessOptions(owners=Owners(rows=rows, **more)))


def owner(world: World, rule: str = "t-rotation") -> tuple[str, str] | None:
    one = world.finding(rule).owner
    return (one.id, one.found_by) if one else None


def declare(world: World, at: float = 0, source: str = "pay/prod") -> None:
    record = DECLARED.model_copy(update={"at": minute(at), "source": source})
    world.feed(CONTROL.name, Control(baseline=record).encode())


def boxes(group: Any = None, account: Any = None, folder: Any = None) -> list[Container]:
    given = (("resource_group", group), ("account", account), ("organizational_unit", folder))
    return [Container(kind=kind, id=kind, tags=tags) for kind, tags in given if tags is not None]


def test_the_first_source_that_names_somebody_decides() -> None:
    """Each source in turn: what comes before it is taken away."""
    every: dict[str, Any] = {
        "tags": {"owner": "by-tag"}, "cloud_account": SHOP,
        "containers": boxes({"owner": "by-group"}, {"owner": "by-account"}, {"owner": "by-folder-tag"}),
    }  # fmt: skip
    expected = [
        ("by-tag", "tag"), ("by-workspace", "workspace"), ("by-group", "group"), ("by-account", "account"),
        ("by-folder-tag", "folder"), ("by-folder", "folder"), ("by-map", "map"), ("all", "fallback"), None,
    ]  # fmt: skip
    found = []
    rows = list(ROWS)
    for step in range(len(expected)):
        if step == 1:
            del every["tags"]
        if 3 <= step <= 5:
            every["containers"] = every["containers"][1:]
        if step in (6, 7):
            rows = rows[:1] + rows[2:]
        here = world(*rows, fallback="" if step == 8 else "all")
        if step in (0, 1):
            declare(here, -1)
        here.snapshot(key(0, **every))
        found.append(owner(here))
    assert found == expected


def test_sources_come_in_the_order_of_the_settings_and_those_left_out_are_not_asked() -> None:
    read = key(0, tags={"owner": "by-tag"}, cloud_account=SHOP)
    for sources, expected in (
        (["map", "tag"], ("by-map", "map")),
        (["tag"], ("by-tag", "tag")),
        ([], None),
    ):
        here = world(*ROWS, sources=sources)
        here.snapshot(read)
        assert owner(here) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"Owner": " Bea@Example.COM "}, ("bea@example.com", "tag")),
        ({"OWNER": "Team Payments"}, ("Team Payments", "tag")),
        ({"team": "x", "owner": ""}, ("x", "tag")),
        ({"owner": "a", "Owner": "b"}, ("a", "tag")),
        ({"OWNER": "a", "Owner": "b"}, ("", "ambiguous")),
        ({"OWNER": "A@b.c", "Owner": "a@B.c"}, ("a@b.c", "tag")),
        ({"team": "x", "OWNER": "a", "Owner": "b"}, ("", "ambiguous")),
        ({"owner": "redacted:00000000:00000000000000000000000000000000"}, None),
        ({"owner": "x" * (LONGEST + 1)}, None),
        ({"owner": "a\x1b[31m\u202eb\nc\u200b"}, ("a[31mb c", "tag")),
        ({"owner": "\u202e\x00"}, None),
        ({"ownership": "x"}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_tags_of_any_cloud_and_by_any_hand(tags: dict[str, str], expected: Any) -> None:
    here = world()
    here.snapshot(key(0, tags=tags))
    assert owner(here) == expected


def test_keys_differ_by_neither_case_nor_separators() -> None:
    for key_ in ("cost-center", "Cost_Center", "cost:center", " COST CENTER"):
        here = world(tags=["Cost-Center"])
        here.snapshot(key(0, tags={key_: "x"}))
        assert owner(here) == ("x", "tag")


@settings(deadline=None)
@given(st.text())
def test_an_id_is_one_line_and_the_same_again(text: str) -> None:
    id = owner_id(text)
    assert len(id) <= LONGEST
    assert id.isprintable()
    assert owner_id(id) == id == owner_id(f" {id}\n")


def test_tags_that_were_not_read_are_no_missing_owner() -> None:
    """Nor is another source asked: the tag might name somebody else."""
    here = world(*ROWS, fallback="all")
    here.snapshot(key(0, unread=NOT_READ, cloud_account=SHOP))
    assert owner(here) == ("", "unread")
    here.snapshot(key(1, tags={}, cloud_account=SHOP))
    assert owner(here) == ("by-folder", "folder")
    here.snapshot(key(2, unread=NOT_READ, cloud_account=SHOP))
    assert owner(here) == ("by-folder", "folder"), "what was read stands"
    here.snapshot(denied(3).model_copy(update={"cloud_account": SHOP}))
    assert owner(here) == ("by-folder", "folder")


def test_tags_of_an_earlier_resource_of_the_same_name_say_nothing_of_this_one() -> None:
    here = world()
    here.snapshot(key(0, tags={}, incarnation="a"))
    assert owner(here) is None
    here.snapshot(key(5, unread=NOT_READ, incarnation="b"))
    assert owner(here) == ("", "unread")


def test_a_row_on_tags_that_were_not_read_decides_nothing() -> None:
    rows = [OwnerRow("x", tags={"app": "shop"}), OwnerRow("y", account="*")]
    here = world(*rows, sources=["map"])
    here.snapshot(key(0, unread=NOT_READ))
    assert owner(here) == ("", "unread")
    here.snapshot(key(1, tags={"app": "other"}))
    assert owner(here) == ("y", "map")


def test_a_container_whose_tags_were_not_read_decides_nothing() -> None:
    here = world(fallback="all")
    here.snapshot(key(0, containers=[Container(kind="account", id="1")]))
    assert owner(here) == ("", "unread")


def test_the_nearest_folder_decides_whatever_the_order_of_rows() -> None:
    here = world(OwnerRow("far", folder="Workloads"), OwnerRow("near", folder="ou-2"))
    here.snapshot(key(0, cloud_account=SHOP))
    assert owner(here) == ("near", "folder")


def test_a_change_of_owner_is_a_transition_of_what_is_open() -> None:
    here = world()
    here.snapshot(key(0, rotation=False, tags={"owner": "a"}))
    before = {rule: here.finding(rule) for rule in ("t-rotation", "t-sticky")}
    here.snapshot(key(1, rotation=False, tags={"owner": "b"}))
    failing, passing = here.finding("t-rotation"), here.finding("t-sticky")
    assert (failing.id, failing.status, failing.reason) == (before["t-rotation"].id, "open", "owner_changed")  # fmt: skip
    assert failing.cause == "owner: a (its tag) before, now b (its tag)"
    assert (failing.sentence or "").endswith("; its owner is now b, before it was a")
    assert not failing.restated
    assert failing.revision > before["t-rotation"].revision
    assert (failing.opened_at, failing.updated_at) == (before["t-rotation"].opened_at, before["t-rotation"].updated_at)  # fmt: skip
    assert passing.restated, "wakes nobody"
    assert passing.reason == before["t-sticky"].reason
    assert owner(here, "t-sticky") == ("b", "tag")
    here.snapshot(key(2, rotation=True, tags={"owner": "b"}))
    assert here.brief() == ("resolved", "passed", "fixed")


def test_another_way_to_the_same_owner_is_told_and_wakes_nobody() -> None:
    here = world(OwnerRow("a", account="*"))
    here.snapshot(key(0, rotation=False, tags={"owner": "a"}))
    here.snapshot(key(1, rotation=False))
    assert owner(here) == ("a", "map")
    assert (here.finding().reason, here.finding().restated) == ("opened", True)


def test_a_sentence_with_two_long_names_fits() -> None:
    here = world()
    for at, name in ((0, "a" * LONGEST), (1, "b" * LONGEST)):
        here.snapshot(key(at, rotation=False, tags={"owner": name}, uid=UID))
    sentence = here.finding().sentence or ""
    assert len(sentence) <= 300
    assert "its owner is now bbbb" in sentence


def test_who_declares_it_owns_it_from_then_on() -> None:
    here = world(*ROWS[:1])
    here.snapshot(key(0, rotation=False))
    assert owner(here) is None
    declare(here, 1)
    assert owner(here) == ("by-workspace", "workspace")
    assert here.finding().cause == "owner: nobody before, now by-workspace (the workspace that declares it)"  # fmt: skip
    declare(here, 2, "other")
    assert owner(here) is None


def test_a_drift_says_whose_it_is() -> None:
    here = world()
    here.snapshot(key(0, tags={"owner": "a"}))
    here.snapshot(key(1, rotation=False, tags={"owner": "a"}))
    assert here.drift().owner.model_dump() == {"id": "a", "found_by": "tag"}  # type: ignore[union-attr]


def test_what_has_ended_keeps_its_owner() -> None:
    here = world()
    here.snapshot(key(0, rotation=False, tags={"owner": "a"}))
    here.snapshot(gone(1))
    assert (here.finding().retired, owner(here)) == (True, ("a", "tag"))


READS: list[dict[str, Any]] = [
    {"tags": {"owner": "a"}}, {"tags": {"OWNER": "b"}}, {"tags": {}}, {"unread": NOT_READ}, {"tags": {"team": "c"}},
    {"tags": {}, "cloud_account": SHOP}, {"containers": boxes({"owner": "g"})},
]  # fmt: skip


@settings(deadline=None)
@given(
    reads=st.lists(st.sampled_from(READS), min_size=1, max_size=6),
    last=st.sampled_from([read for read in READS if "unread" not in read]),
    data=st.data(),
)
def test_the_order_of_delivery_and_duplicates_make_no_difference(reads: list[Any], last: Any, data: st.DataObject) -> None:  # fmt: skip
    """Of readings the newest decides, if it read the tags."""
    said = [key(at, rotation=False, **read) for at, read in enumerate([*reads, last])]
    straight = world(*ROWS)
    for one in said:
        straight.snapshot(one)
    shuffled = world(*ROWS)
    twice = [*range(len(said)), *range(len(said))]
    for number in data.draw(st.permutations(twice)):
        shuffled.snapshot(said[number])
    assert owner(straight) == owner(shuffled)


class Told(Kept):
    """A partition that is started again with other owners."""

    def __init__(self, owners: Owners) -> None:
        self.owners, self.offset = owners, 0
        super().__init__(rulebook())

    def start(self, rules: Any) -> None:
        options = AssessOptions(owners=self.owners)
        self.fold = Partition(0, self.rows.get, rules, options, heads=self.heads)
        self.fold.restore(self.heads())

    def read(self, *snapshots: Snapshot) -> list[dict[str, Any]]:
        self.fold.apply(SNAPSHOTS.name, value(*snapshots), self.offset)
        self.offset += 1
        return self.keep()

    def reload(self, owners: Owners) -> None:
        self.owners = owners
        self.start(rulebook())


UIDS = [f"{UID}{number}" for number in range(5)]


def test_a_map_that_changes_is_applied_in_slices_and_said_once() -> None:
    kept = Told(Owners(rows=[OwnerRow("a", account="*")]))
    kept.fold.apply(CONTROL.name, tick(0), 0)
    kept.read(*[key(0, rotation=False, uid=uid) for uid in UIDS])
    while kept.fold.advance():
        pass
    assert kept.keep() == []
    kept.reload(Owners(rows=[OwnerRow("b", resource=f"{UID}[0-2]"), OwnerRow("b", resource=UIDS[0]), OwnerRow("a", account="*")]))  # fmt: skip
    slices = 0
    while kept.fold.advance(most=1):
        slices += 1
    said = kept.keep()
    assert slices >= len(UIDS)
    assert {(one["resource"]["uid"], one["owner"]["id"]) for one in said} == {(UIDS[0], "b")}
    assert {one["rule"]["id"]: one["reason"] for one in said if not one["restated"]} == {"t-rotation": "owner_changed"}  # fmt: skip
    kept.reload(kept.owners)
    while kept.fold.advance():
        pass
    assert kept.keep() == [], "the same map is no change"


def test_states_of_before_there_were_owners_get_them_and_wake_nobody() -> None:
    kept = Told(Owners(sources=[]))
    kept.fold.apply(CONTROL.name, tick(0), 0)
    kept.read(key(0, rotation=False, tags={"owner": "a"}))
    for name, content in kept.rows.items():
        if name[:1] == b"b":
            kept.rows[name] = _without_owner(content)
    kept.reload(Owners())
    while kept.fold.advance():
        pass
    said = kept.keep()
    assert {(one["owner"]["id"], one["restated"]) for one in said} == {("a", True)}


def _without_owner(row: bytes) -> bytes:
    """A body's row as versions wrote it that knew no owners: it ends before them."""
    whole = msgspec.msgpack.decode(rows.content(row))
    return row[: len(row) - len(rows.content(row))] + msgspec.msgpack.encode(
        whole[: Body.__struct_fields__.index("owner")]
    )


@pytest.mark.parametrize("cut", range(4))
def test_a_worker_that_dies_while_owners_change_says_the_same_after_it(cut: int) -> None:
    kept = Told(Owners())
    kept.fold.apply(CONTROL.name, tick(0), 0)
    kept.read(*[key(0, rotation=False, uid=uid) for uid in UIDS])
    kept.reload(Owners(fallback="all"))
    kept.fold.advance(most=3)
    kept.keep(cut)
    kept.reload(kept.owners)
    said = []
    while kept.fold.advance(most=2):
        said += kept.keep()
    said += kept.keep()
    bodies = {key[1:].decode() for key in kept.rows if key[:1] == b"b"}
    assert bodies == {*UIDS}
    assert {one["owner"]["id"] for one in said} == {"all"}


def test_facts_alone_decide() -> None:
    """No clock, no memory: of the same facts the same owner, whichever way the settings were made."""
    facts = Facts({"uid": "u", "type": "t", "account": "1", "tags": {}}, True)
    one, two = Owners(rows=ROWS), Owners(rows=[replace(row) for row in ROWS])
    assert one.hash == two.hash
    assert one.of(facts) == two.of(facts)
    hashes = {Owners(rows=rows).hash for rows in itertools.permutations(ROWS)}
    assert len(hashes) == 6, "of rows the first that holds decides: their order is a setting"


NAMES = st.sampled_from(["", "*", "a", "b", "a*"])


@settings(deadline=None)
@given(st.lists(st.builds(OwnerRow, owner=st.sampled_from(["x", "y", "z"]), account=NAMES, type=NAMES, resource=NAMES, folder=NAMES), max_size=8))  # fmt: skip
def test_of_rows_the_first_that_holds_decides_however_they_are_found(rows: list[OwnerRow]) -> None:
    above = [{"kind": "folder", "id": "b", "name": ""}, {"kind": "folder", "id": "a", "name": ""}]
    resource = {"uid": "a", "type": "b", "account": "a", "tags": {}, "cloud_account": {"id": "a", "ancestors": above}}  # fmt: skip

    def holds(row: OwnerRow, folders: set[str]) -> bool:
        pairs = [(row.account, {"a", "a/b/a"}), (row.type, {"b"}), (row.resource, {"a"}), (row.folder, folders)]  # fmt: skip
        return all(not pattern or any(matches(pattern, text) for text in texts) for pattern, texts in pairs)  # fmt: skip

    expected = [row.owner for folders in ({"b", "a/b"}, {"a"}) for row in rows if row.folder and holds(row, folders)]  # fmt: skip
    expected += [row.owner for row in rows if not row.folder and holds(row, set())]
    found = Owners(rows=rows).of(Facts(resource, True))
    assert found.id == next(iter(expected), "")


@pytest.mark.parametrize("late", [False, True], ids=["before the resource is another's", "after"])
def test_a_drift_says_who_owned_the_resource_when_it_was_found(late: bool) -> None:
    """Whenever its evidence comes: the same document."""
    world = World()
    world.heard(0)
    world.tick(0)
    world.snapshot(key(0, tags={"owner": "a"}))
    world.snapshot(key(5, rotation=False, tags={"owner": "a"}))
    if not late:
        world.change(change(4))
    world.snapshot(key(10, rotation=False, tags={"owner": "b"}))
    if late:
        world.change(change(4))
    world.heard(60)
    world.tick(60)
    drift = world.drift()
    assert drift.attribution == "attributed"
    assert drift.owner is not None
    assert drift.owner.id == "a"
    assert world.finding().owner is not None
