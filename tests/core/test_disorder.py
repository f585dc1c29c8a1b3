"""Topics have no common order, and a killed worker may have said more than it kept: the last word stays the same."""

import random
from collections.abc import Iterable

import orjson
import pytest

from driftline.pipeline.records.topics import CHANGES
from tests.core.tape import Record, Tape, Witness
from tests.core.world import cause, final, revision


def otherwise(records: list[Record], chance: random.Random) -> list[Record]:
    """Changes come earlier or later among the readings; each topic keeps its own order."""
    queues = [
        [record for record in records if (record.topic == CHANGES.name) == heard]
        for heard in (True, False)
    ]
    out: list[Record] = []
    while any(queues):
        queue = chance.choice([queue for queue in queues if queue])
        many = chance.randrange(1, max(2, len(queue) // 3))
        out += queue[:many]
        del queue[:many]
    return out


def fold(records: Iterable[Record]) -> Witness:
    witness = Witness()
    for record in records:
        witness.feed(record.topic, record.value)
    return witness


def newest(values: Iterable[bytes]) -> dict[str, bytes]:
    """Of each id the highest revision, the first of equal ones: as Elasticsearch keeps them."""
    out: dict[str, bytes] = {}
    for value in values:
        id = str(orjson.loads(value)["id"])
        if id not in out or revision(value) > revision(out[id]):
            out[id] = value
    return out


@pytest.mark.parametrize("seed", range(12))
def test_the_word_that_knows_most_stands(seed: int) -> None:
    tape, chance = Tape(1500, seed), random.Random(seed)
    records = [record for record in tape.records() if record.value != b"{not json"]
    whole = fold(records)
    drifts = {id: cause(value) for id, value in whole.drifts.items()}
    findings = {key.decode(): final(value) for key, value in whole.findings.items()}
    assert {drift["attribution"] for drift in drifts.values()} >= {"attributed", "unattributed"}

    other = fold(otherwise(records, chance))
    assert {id: cause(value) for id, value in other.drifts.items()} == drifts
    assert {key.decode(): final(value) for key, value in other.findings.items()} == findings

    killed = otherwise(records, chance)
    lost = fold(killed[: chance.randrange(len(killed))])
    said = newest([*lost.all_drifts, *whole.all_drifts])
    assert {id: cause(value) for id, value in said.items()} == drifts
    said = newest([*lost.all_said, *whole.all_said])
    assert {id: final(value) for id, value in said.items()} == findings
