"""Half a batch is none: what a recovery takes of a changelog whose writer was killed."""

from random import Random

import pytest

from driftline.pipeline.state.resource import Head
from driftline.pipeline.state.rows import (
    FIRST_VERSION_WITH_BATCH_END,
    NEVER,
    WHOLE_KEY,
    Position,
    batch_end,
    encode,
    in_order,
)
from driftline.pipeline.worker import changelog
from driftline.pipeline.worker.changelog import ChangelogBatcher, Entry

ROW = encode(Head(), NEVER, Position())
OLD = ROW[:28] + bytes([FIRST_VERSION_WITH_BATCH_END - 1]) + ROW[29:]
"""Of a version that marked no ends."""


def batch(chance: Random, number: int, begin: int) -> list[Entry]:
    """A batch of entries, its mark the last."""
    rows: dict[bytes, bytes | None] = {
        b"%s%d" % (kind, chance.randrange(9)): ROW
        for kind in (b"b", b"h")
        for _ in range(chance.randint(1, 4))
    }
    rows[b"s1"] = None if chance.random() < 0.3 else ROW
    return [(number, begin + n, key, row) for n, (key, row) in enumerate(in_order(rows).items())]


def story(
    chance: Random, number: int
) -> tuple[list[Entry], list[Entry], tuple[int, int, int] | None]:
    """What lies in a partition where writers died now and then, what of it counts, and what is cut short at its end."""
    there: list[Entry] = []
    good: list[Entry] = []
    lost = None
    for _ in range(6):
        new = batch(chance, number, len(there))
        kept = chance.choice([len(new), chance.randint(0, len(new) - 1)])
        there += new[:kept]
        good += new if kept == len(new) else []
        if kept == len(new):
            lost = None
        elif kept:  # the next one writes right behind it, and may be cut short too
            lost = (number, there[-1][1], kept + (lost[2] if lost else 0))
    return there, good, lost


def mixed(chance: Random, queues: list[list[Entry]]) -> list[Entry]:
    """Each partition's in order, the partitions as they come."""
    left, out = [list(queue) for queue in queues if queue], []
    while left:
        queue = chance.choice(left)
        out.append(queue.pop(0))
        left = [queue for queue in left if queue]
    return out


@pytest.mark.parametrize("seed", range(200))
def test_a_batch_comes_whole_or_not_at_all(seed: int) -> None:
    """Whether what is cut short is read before others have written more, or long after."""
    chance = Random(seed)
    stories = [story(chance, number) for number in range(2)]
    learnt: list[Entry] = []
    batcher = ChangelogBatcher(learnt.extend)
    entries = mixed(chance, [there for there, _, _ in stories])
    while entries:
        some = chance.randint(1, 9)
        batcher.add(entries[:some])
        entries = entries[some:]
    lost = {one[0]: one for one in batcher.finish()}
    for number, (_, good, cut) in enumerate(stories):
        assert [e for e in learnt if e[0] == number] == good
        assert lost.get(number) == cut


def test_rows_of_before_have_no_marks_and_count() -> None:
    learnt: list[Entry] = []
    batcher = ChangelogBatcher(learnt.extend)
    old: list[Entry] = [(3, 7, b"h1", OLD), (3, 8, b"s1", None), (3, 9, b"b1", OLD)]
    batcher.add(old)
    assert batcher.finish() == []
    assert learnt == old
    learnt.clear()
    batcher = ChangelogBatcher(learnt.extend)
    torn: list[Entry] = [(3, 10, b"b2", ROW), (3, 11, b"s2", None)]
    new: list[Entry] = [(3, 12, b"b2", ROW), (3, 13, WHOLE_KEY, batch_end(1))]
    batcher.add([*old, *torn, *new])
    assert (learnt, batcher.finish()) == ([*old, *new], [])


def test_the_very_first_batch_may_be_cut_short() -> None:
    learnt: list[Entry] = []
    batcher = ChangelogBatcher(learnt.extend)
    batcher.add([(0, 0, b"b1", ROW), (0, 1, b"h1", ROW)])
    assert batcher.finish() == [(0, 1, 2)]
    assert learnt == []


def test_in_a_compacted_changelog_the_gap_of_a_mark_is_as_good_as_the_mark() -> None:
    """What is left of old batches counts, what was cut short right before the first whole one does not."""
    kept: list[Entry] = [(0, 2, b"b1", ROW), (0, 5, b"h1", ROW), (0, 6, b"b4", ROW)]
    torn: list[Entry] = [(0, 8, b"b2", ROW), (0, 9, b"h2", ROW)]
    new: list[Entry] = [(0, 10, b"b3", ROW), (0, 11, b"h3", ROW), (0, 12, WHOLE_KEY, batch_end(2))]
    learnt: list[Entry] = []
    batcher = ChangelogBatcher(learnt.extend)
    batcher.add([*kept, *torn, *new])
    assert learnt == [*kept, *new]


def test_a_compacted_changelog_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changelog, "MOST_BATCH", 1000)
    learnt: list[Entry] = []
    batcher = ChangelogBatcher(learnt.extend)
    row = ROW.ljust(100, b"x")
    batcher.add((0, 2 * n, b"h%d" % n, row) for n in range(95))
    assert len(learnt) == 88
    batcher.add([(0, 190, WHOLE_KEY, batch_end(0))])
    assert len(learnt) == 96
    assert batcher.finish() == []
