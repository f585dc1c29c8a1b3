"""Workers of an older version are replaced one after another while records flow, then compared with an undisturbed run.

`git worktree add /tmp/old REF && make -C /tmp/old venv && python -m tests.live.mixed /tmp/old --n 30000` prints one line of
counts. The old tree is run by its own environment. What must hold afterwards: every finding's last statement
agrees in all that both versions know, no transition is lost or invented, no record is a dead letter that was none."""

import argparse
import random
import shutil
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from driftline.pipeline.kafka.client import read_all
from driftline.pipeline.records.topics import FINDINGS
from tests.core.tape import Tape
from tests.core.world import final, revision
from tests.live.crash import Arena, Slot, verify

SAME = ("findings_missing", "findings_extra", "transitions_lost", "transitions_invented", "files_wrong", "letters_missing")  # fmt: skip
KNOWN_TO_BOTH = ("id", "evaluation", "status", "reason", "evidence", "first_seen", "opened_at", "resolved_at", "reopened",
                 "pending_for", "retired")  # fmt: skip


def trial(old: Path, folder: Path, n: int, seconds: float, seed: int) -> dict[str, Any]:
    """One rolling restart from the old tree to this one, with two workers."""
    arena, chance = Arena(folder, Tape(n, seed, decided=True)), random.Random(seed)
    try:
        arena.python = str(old / ".venv/bin/python")
        program = "driftline.pipeline" if (old / "setup.py").exists() else "pipeline"
        for _ in range(2):
            arena.worker(program, "worker")
        arena.rate = n / seconds
        arena.decide()
        arena.feeding.start()
        arena.flowing()
        for slot in arena.slots:
            time.sleep(
                chance.uniform(0.1, 0.25) * seconds
            )  # a person's pace, not a synchronisation
            _replace(slot, [sys.executable, "-m", *arena.program], chance)
            arena.flowing()
        slowest = arena.finish()
        counts: dict[str, Any] = verify(arena)
        exits = sum((slot.exits for slot in arena.slots), Counter[int]())
        return {name: counts[name] for name in (*SAME, "findings", "transitions", "twice")} | {
            "finals_wrong": _differ(arena), "exits": dict(exits), "slowest_stop_s": round(slowest, 1),
        }  # fmt: skip
    finally:
        arena.close()


def _replace(slot: Slot, command: list[str], chance: random.Random) -> None:
    """Stops a worker politely, or not; its supervisor starts the new version, half of the time without its files."""
    slot.child.command = command  # of the next start
    slot.wipe = chance.random() < 0.5
    if chance.random() < 0.5:
        slot.child.kill()
    else:
        slot.child.stop(30)


def _differ(arena: Arena) -> int:
    """Findings whose last statement is another than the undisturbed run's, in what both versions say."""
    newest: dict[bytes, bytes] = {}
    for message in read_all(arena.kafka, FINDINGS.name):
        value = message.value()
        if value and revision(value) >= revision(newest.get(message.key(), b'{"revision":0}')):
            newest[message.key()] = value
    wanted = arena.tape.undisturbed().findings
    return sum(_common(newest[key]) != _common(value) for key, value in wanted.items() if key in newest)  # fmt: skip


def _common(value: bytes) -> dict[str, Any]:
    return {name: final(value).get(name) for name in KNOWN_TO_BOTH}


def main() -> int:
    """Prints a line; 1 where anything differed."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("old", type=Path)
    options.add_argument("--n", type=int, default=30_000)
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--seed", type=int, default=int(time.time()))
    options.add_argument("--keep", type=Path)
    chosen = options.parse_args()
    if not (chosen.old / ".venv/bin/python").exists():
        options.error(
            f"{chosen.old} is no checkout of Driftline with its environment (run: git worktree add {chosen.old} REF && make -C {chosen.old} venv)"
        )
    with TemporaryDirectory(ignore_cleanup_errors=True) as name:
        got = trial(chosen.old.resolve(), Path(name), chosen.n, chosen.seconds, chosen.seed)
        if chosen.keep:
            shutil.copytree(name, chosen.keep, dirs_exist_ok=True)
    print(orjson.dumps(got, option=orjson.OPT_NON_STR_KEYS).decode(), flush=True)
    return int(any(got[one] for one in (*SAME, "finals_wrong")))


if __name__ == "__main__":
    raise SystemExit(main())
