"""Half a batch is none: what a recovery takes of a changelog whose writer was killed."""

from random import Random

import pytest

from pipeline.state import WHOLE, WHOLE_KEY, in_order
from pipeline.worker import store
from pipeline.worker.store import Entry, Tail


def batches(chance: Random, count: int, partitions: int = 2) -> dict[int, list[list[Entry]]]:
    """By partition: batches of entries with rising offsets."""
    out: dict[int, list[list[Entry]]] = {}
    for number in range(partitions):
        offset, mine = 0, []
        for batch in range(count):
            rows = {
                b"%s%d" % (kind, chance.randrange(5)): b"%d" % batch
                for kind in (b"b", b"h")
                for _ in range(chance.randint(1, 4))
            }
            entries = []
            for key, row in in_order(rows).items():
                entries.append((number, offset, key, row))
                offset += 1
            mine.append(entries)
        out[number] = mine
    return out


def mixed(chance: Random, queues: dict[int, list[Entry]]) -> list[Entry]:
    """Each partition's in order, the partitions as they come."""
    left, out = {number: list(entries) for number, entries in queues.items()}, []
    while any(left.values()):
        out.append(
            left[chance.choice([number for number, entries in left.items() if entries])].pop(0)
        )
    return out


@pytest.mark.parametrize("seed", range(40))
def test_a_batch_comes_whole_or_not_at_all(seed: int) -> None:
    chance = Random(seed)
    whole = batches(chance, 4)
    cut = {number: chance.randint(0, len(mine[-1]) - 1) for number, mine in whole.items()}
    there = {
        number: [e for batch in mine[:-1] for e in batch] + mine[-1][: cut[number]]
        for number, mine in whole.items()
    }
    learnt: list[Entry] = []
    tail = Tail(learnt.extend, set())
    entries = mixed(chance, there)
    while entries:
        some = chance.randint(1, 9)
        tail.take(entries[:some])
        entries = entries[some:]
    lost = tail.end()
    for number, mine in whole.items():
        assert [e for e in learnt if e[0] == number] == [e for batch in mine[:-1] for e in batch]
    assert lost == [
        (n, there[n][-1][1], cut[n])
        for n in sorted(cut, key=lambda n: [x[0] for x in lost].index(n) if cut[n] else 9)
        if cut[n]
    ]


@pytest.mark.parametrize("known", [True, False])
def test_a_changelog_of_before_has_no_marks(known: bool) -> None:
    """Then all of it counts, unless the files know that batches have an end."""
    learnt: list[Entry] = []
    tail = Tail(learnt.extend, {3} if known else set())
    entries: list[Entry] = [(3, 7, b"h1", b"row"), (3, 8, b"b1", b"row")]
    tail.take(entries)
    assert tail.end() == ([(3, 8, 2)] if known else [])
    assert learnt == ([] if known else entries)


def test_a_compacted_changelog_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_BATCH", 1000)
    learnt: list[Entry] = []
    tail = Tail(learnt.extend, set())
    tail.take((0, n, b"h%d" % n, b"x" * 100) for n in range(95))
    assert len(learnt) == 88
    tail.take([(0, 95, WHOLE_KEY, WHOLE)])
    assert len(learnt) == 96
    assert tail.end() == []
