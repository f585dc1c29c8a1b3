"""What detections of other providers cost a change: the same changes with and without two hundred of them, in turn."""

import statistics
import time
from dataclasses import replace
from typing import Any

from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.detections.load import DetectionSet, load
from driftline.pipeline.detections.rule import Detection, compile_rule
from driftline.pipeline.model import Change
from driftline.pipeline.rulebook import builtin_folder

N, ROUNDS, FOREIGN = 2_000, 15, 200


def run() -> dict[str, Any]:
    """Microseconds a change: without and with foreign detections (medians of rounds in turn), and the median of the
    differences of the pairs."""
    ours = load([builtin_folder() / "detections", builtin_folder() / "correlations"])
    engines = [_engine(ours, ()), _engine(ours, foreign())]
    changes = [_change(number) for number in range(N)]
    for engine in engines:
        _round(engine, changes)
    rounds: list[list[float]] = [[], []]
    for number in range(ROUNDS):
        for which in (0, 1) if number % 2 else (1, 0):
            rounds[which].append(_round(engines[which], changes))
    differences = [with_ - without for without, with_ in zip(*rounds, strict=True)]
    return {
        "foreign": FOREIGN, "without_us": statistics.median(rounds[0]), "with_us": statistics.median(rounds[1]),
        "foreign_us": statistics.median(differences), "foreign_us_range": [min(differences), max(differences)],
    }  # fmt: skip


def foreign() -> list[Detection]:
    """Detections of two other providers: by a name that they require, by a word anywhere, and by what they exclude."""
    forms: list[dict[str, Any]] = [
        {"s": {"eventName": "PutBucketPolicy"}, "condition": "s"},
        {"k": ["aws-cli"], "condition": "k"},
        {"s": {"operationName|contains": "WRITE"}, "f": {"resultType": "Start"}, "condition": "s and not f"},
    ]  # fmt: skip
    sources = ({"product": "azure", "service": "activitylogs"}, {"product": "gcp", "service": "gcp.audit"})  # fmt: skip
    return [
        replace(
            compile_rule(
                {
                    "title": f"Foreign {n}", "level": "high", "logsource": sources[n % 2],
                    "detection": forms[n % len(forms)],
                },
                {},
            ),
            id=f"foreign-{n}",
        )
        for n in range(FOREIGN)
    ]  # fmt: skip


def _engine(ours: DetectionSet, others: Any) -> DetectionEngine:
    every = {**ours.rules, **{one.id: one for one in others}}
    return DetectionEngine(DetectionSet(every, dict(ours.correlations)).indexed())


def _change(number: int) -> Change:
    actions = ("PutBucketPolicy", "AuthorizeSecurityGroupIngress", "CreateUser", "PutObject")
    action, session = actions[number % len(actions)], f"ASIA{number}"
    role = "arn:aws:iam::111111111111:role/app"
    raw = {"eventName": action, "eventSource": "s3.amazonaws.com", "userAgent": "aws-cli/2", "requestParameters": {"bucketName": f"b{number}"}}  # fmt: skip
    return Change.model_validate({
        "id": str(number), "uid": f"arn:aws:s3:::b{number}", "type": "AWS::S3::Bucket", "provider": "aws",
        "account": "111111111111", "region": "eu-west-1", "service": "s3.amazonaws.com", "action": action, "kind": "update",
        "actor": {"id": role, "type": "role", "session": session, "session_name": "ann", "issuer": role},
        "occurred_at": "2026-01-01T00:00:00Z", "outcome": "success", "raw": raw,
    })  # fmt: skip


def _round(engine: DetectionEngine, changes: list[Change]) -> float:
    began = time.thread_time()
    for change in changes:
        event = engine.event(change, {"known": False})
        engine.event_signals(event)
        engine.depends_on_actor(event)
    return (time.thread_time() - began) / len(changes) * 1e6


if __name__ == "__main__":
    import pprint

    pprint.pp(run(), sort_dicts=False)
