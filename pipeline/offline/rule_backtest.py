"""Backtests rules: what would have opened, when and where, compared with the current version. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from driftline.pipeline.assess.options import AssessOptions
from driftline.pipeline.common.errors import UserError
from driftline.pipeline.offline.fold import Fold, Past
from driftline.pipeline.records.topics import FINDINGS
from driftline.pipeline.rulebook import Rulebook

SHOWN = 100
"""Maximum number of resources named per difference; the counts include all."""


@dataclass
class Said:
    """The results of one version of a rule."""

    opened: set[tuple[str, str]] = field(default_factory=set)
    """Resource and time of every opening."""
    last: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The latest finding by resource."""

    def as_dict(self) -> dict[str, Any]:
        standing = [one for one in self.last.values() if not one["retired"]]
        times = sorted(at for _, at in self.opened)
        return {
            "opened": len(self.opened),
            "resources": len({uid for uid, _ in self.opened}),
            "first": times[0] if times else None,
            "last": times[-1] if times else None,
            "days": dict(sorted(Counter(at[:10] for at in times).items())),
            "judged": len(self.last),
            "open_at_end": sum(one["status"] == "open" for one in standing),
            "unknown_at_end": sum(one["evaluation"] == "unknown" for one in standing),
        }


class Witness:
    """Evaluates records with some rules, and keeps the results by rule."""

    def __init__(self, rulebook: Rulebook, options: AssessOptions) -> None:
        self.said: dict[str, Said] = {}
        self.fold = Fold(rulebook, options, told=self._hear)

    def _hear(self, topic: str, value: bytes) -> None:
        if topic != FINDINGS.name:
            return
        finding = orjson.loads(value)
        said = self.said.setdefault(finding["rule"]["id"], Said())
        uid = finding["resource"]["uid"]
        if finding.get("opened_at"):
            said.opened.add((uid, finding["opened_at"]))
        said.last[uid] = {key: finding[key] for key in ("status", "evaluation", "retired")}


def compare(
    records: Iterable[Past], present: Rulebook, proposed: Rulebook, options: AssessOptions
) -> dict[str, dict[str, Any]]:
    """By the id of each proposed rule: its results, those of the current rule with that id (None: there is
    none), and the resources that only one of them opened."""
    known = {rule.id for rule in present.rules}
    both = [rule.id for rule in proposed.rules if rule.id in known]
    new = Witness(proposed, options)
    old = Witness(present.only(both), options) if both else None
    for record in records:
        new.fold.feed(record.topic, record.value)
        if old:
            old.fold.feed(record.topic, record.value)
    return {
        rule.id: _compared(new.said.get(rule.id, Said()), old.said.get(rule.id, Said()) if old and rule.id in known else None)
        for rule in proposed.rules
    }  # fmt: skip


def _compared(new: Said, old: Said | None) -> dict[str, Any]:
    after = {uid for uid, _ in new.opened}
    before = {uid for uid, _ in old.opened} if old else set()
    return {
        **new.as_dict(),
        "present": old.as_dict() if old else None,
        "only_new": _shown(after - before if old else ()),
        "only_present": _shown(before - after),
        "more": len(after - before),
        "fewer": len(before - after),
    }


def _shown(uids: Iterable[str]) -> list[str]:
    return sorted(uids)[:SHOWN]


def needed(proposed: Rulebook, paths: Sequence[object]) -> None:
    """Raises UserError if there are no rules."""
    if not proposed.rules:
        raise UserError("contains no rules", place=f"--rules {', '.join(map(str, paths))}")
