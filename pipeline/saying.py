"""What a step has to say, as records: findings, drifts, wishes to read again, and signals of them. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import orjson

from pipeline.assess import Step
from pipeline.fitting import fitted
from pipeline.model import finding_id
from pipeline.output import Output
from pipeline.rulebook import Rulebook
from pipeline.statement import restatement
from pipeline.topics import DRIFT, FINDINGS, READS, RESTATEMENTS

if TYPE_CHECKING:  # who watches nothing need not wait for pySigma
    from pipeline.detections.watch import Watch


def records(uid: str, step: Step) -> list[Output]:
    """All but the signals, in the order in which they are to be sent."""
    said = [
        Output(FINDINGS.name, finding["id"].encode(), fitted(finding)) for finding in step.findings
    ]
    said += [
        Output(RESTATEMENTS.name, finding["id"].encode(), restatement(finding))
        for finding in step.again
    ]
    said += tombstones(uid, step.ended)
    said += [Output(DRIFT.name, uid.encode(), fitted(drift)) for drift in step.drifts]
    said += [Output(READS.name, uid.encode(), orjson.dumps(read)) for read in step.reads]
    return said


def tombstones(uid: str, rules: Iterable[str]) -> list[Output]:
    """The end of the last word on findings: the compacted topic keeps nothing of them."""
    return [Output(FINDINGS.name, finding_id(rule, uid).encode(), b"") for rule in sorted(rules)]


def signals(
    step: Step, watch: "Watch", rulebook: Rulebook, *, planned: bool
) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Of transitions and drifts; a restatement is none, but that something stands. `planned`: some changes are a matter of
    course, and a drift is a signal only where it is known to be none of them."""
    body = step.state.body
    for finding in (*step.findings, *step.again):
        tell = watch.standing if finding["restated"] else watch.finding
        yield from tell(finding, body)
    for drift in step.drifts:
        if planned and drift.get("expected") is not False:
            continue  # a matter of course, or not known yet: there will be another word
        yield from watch.drift(drift, body, rulebook.of(body.resource))


def count(step: Step, counts: Counter[str]) -> None:
    """What metrics tell of a step."""
    for finding in step.findings:
        counts["restated" if finding["restated"] else finding["reason"]] += 1
    if step.again:
        counts["restated"] += len(step.again)
    for drift in step.drifts:
        counts[f"drift {drift['attribution']} {drift['found_by']}"] += 1
