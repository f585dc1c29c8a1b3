"""One meaning of a past: the stream, replay and backtest give the same hits, alerts, findings and drifts of it, however it
was cut into files, doubled, or shuffled within the lateness."""

import json
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from driftline.collectors.aws.events.names import NoNames
from driftline.collectors.aws.events.record import ChangeReader
from driftline.collectors.folder.past import EventFiles, RecordsByTime, past, reader_of
from driftline.collectors.redact import Redactor
from driftline.pipeline.detections import load
from driftline.pipeline.detections.engine import DetectionEngine
from driftline.pipeline.model import Control, Tick, micros
from driftline.pipeline.offline.detection_backtest import Tally
from driftline.pipeline.offline.fold import Fold
from driftline.pipeline.records import codec, tape
from driftline.pipeline.records.topics import CHANGES, CONTROL, SNAPSHOTS
from tests.collectors.events.samples import event
from tests.core.world import START, change, gone, heard, key, minute, rulebook, tick, value
from tests.correlate.stream import Stream

LATENESS = timedelta(minutes=10)
MICROS = int(LATENESS.total_seconds() * 1e6)
REDACTOR = Redactor(b"k" * 32)
AWS = {"product": "aws", "service": "cloudtrail"}
FINDING = {"product": "driftline", "service": "finding"}
BY_WHOM = ["driftline.actor.id"]


def detection(name: str, selection: dict[str, Any], level: str = "informational", source: dict[str, str] = AWS, **more: Any) -> dict[str, Any]:  # fmt: skip
    return {"title": name, "name": name, "status": "test", "level": level, "logsource": source,
            "detection": {"s": selection, "condition": "s"}} | more  # fmt: skip


def correlation(
    name: str, kind: str, rules: list[str], timespan: str, **more: Any
) -> dict[str, Any]:
    block = {
        "type": kind,
        "rules": rules,
        "group-by": BY_WHOM,
        "timespan": timespan,
        "generate": True,
    } | more
    return {"title": name, "name": name, "level": "high", "correlation": block}  # fmt: skip


CONTENT = [
    detection("describes", {"eventName|startswith": "Describe"}),
    detection("by_agent", {"userAgent|contains": "odd"}, "medium"),
    detection("makes_key", {"eventName": "CreateAccessKey"}, "low"),
    detection("stops", {"eventName": "StopLogging"}),
    detection("starts", {"eventName": "StartLogging"}),
    detection("denied", {"errorCode": "AccessDenied"}),
    detection("opens", {"driftline.status": "open", "driftline.reason": "new"}, source=FINDING),
    detection("touches_open", {"driftline.kind": "update", "driftline.open": "t-rotation"}, "high"),
    correlation("looks_around", "value_count", ["describes"], "20m", condition={"field": "eventName", "gte": 3}),
    correlation("often_denied", "event_count", ["denied"], "10m", condition={"gte": 3}),
    correlation("off_then_key", "temporal_ordered", ["stops", "makes_key"], "30m"),
    correlation("off_for_long", "temporal", ["stops", "starts"], "15m", condition="stops and not starts"),
    correlation("both", "temporal", ["looks_around", "off_then_key"], "1h"),
    correlation("off_and_denied", "temporal", ["off_for_long", "often_denied"], "2h"),
    correlation("never_on", "event_count", ["off_for_long"], "3h", condition={"gte": 2}),
    correlation("opens_many", "event_count", ["opens"], "1h", condition={"gte": 2}, **{"group-by": ["driftline.account"]}),
]  # fmt: skip


def watching(folder: Path, content: list[dict[str, Any]]) -> DetectionEngine:
    """Rules and correlations at work, as their files say them."""
    (folder / "all.yml").write_text(yaml.safe_dump_all(content, sort_keys=False))
    found = load([folder])
    assert found.problems == []
    return DetectionEngine(found)


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> DetectionEngine:
    return watching(tmp_path_factory.mktemp("content"), CONTENT)


CALLS = [("ec2", f"Describe{what}", True) for what in ("Instances", "Volumes", "Images", "Vpcs")]
CALLS += [("iam", "ListRoles", True), ("iam", "CreateAccessKey", False), ("cloudtrail", "StopLogging", False),
          ("cloudtrail", "StartLogging", False), ("ec2", "RunInstances", False)]  # fmt: skip


def records(chance: random.Random, count: int) -> list[dict[str, Any]]:
    """CloudTrail's records of some three hours, reads among them, by three users and one of their sessions."""
    out = []
    for number in range(count):
        service, action, reads = chance.choice(CALLS)
        at = START + timedelta(seconds=chance.randrange(3 * 3600))
        who = chance.choice(("ann", "bea", "cas"))
        arn = f"arn:aws:iam::111111111111:user/{who}"
        more: dict[str, Any] = {"errorCode": "AccessDenied"} if chance.random() < 0.3 else {}
        if chance.random() < 0.2:
            more["userAgent"] = "odd/1"
        out.append(event(
            action, service, eventID=f"e{number}", eventTime=at.strftime("%Y-%m-%dT%H:%M:%SZ"), readOnly=reads,
            userIdentity={"type": "IAMUser", "arn": arn, "userName": who, "accountId": "111111111111", "accessKeyId": f"AKIA{who}"},
            **more,
        ))  # fmt: skip
    return out


def at_of(record: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(record["eventTime"])


def ticks(at: datetime) -> Iterator[tuple[str, bytes]]:
    for source in ("aws.eventbridge", "sweep"):
        yield CONTROL.name, Control(tick=Tick(source=source, watermark=at)).encode()


def arrived(records: list[dict[str, Any]], content: DetectionEngine, chance: random.Random) -> list[tuple[str, bytes]]:  # fmt: skip
    """The records as the stream hears of them: each up to the lateness after its time, some twice; and the ticks."""
    reader = ChangeReader(REDACTOR, "import", NoNames(), content.wants_of("aws"))
    heard: list[tuple[datetime, int, tuple[str, bytes]]] = []
    for record in records:
        for _ in range(chance.choice((1, 1, 1, 2))):
            late = at_of(record) + LATENESS * chance.random()
            heard += [(late, 0, (CHANGES.name, one.encode())) for one in reader.changes(record)]
    for number in range(1, 16):
        at = START + timedelta(minutes=20 * number)
        heard += [(at, number, one) for one in ticks(at)]
    return [one for *_, one in sorted(heard, key=lambda one: one[:2])]


def final(alerts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The alerts that stand, without how often they were said."""
    standing = [one for one in alerts if one["state"] not in ("merged", "withdrawn")]
    return {one["id"]: {k: v for k, v in one.items() if k != "revision"} for one in standing}


def streamed(heard: list[tuple[str, bytes]], content: DetectionEngine, seed: int) -> Stream:
    """Records are processed as they come: time does not run ahead of them, as a lagging watermark makes it."""
    stream = Stream(rulebook(), content, MICROS, random.Random(seed))
    for topic, record in heard:
        stream.feed(topic, record)
        if topic == CONTROL.name:
            stream.run()
    stream.end(END)
    assert not stream.dead
    return stream


END = micros(START + timedelta(hours=6))


def logs(folder: Path, records: list[dict[str, Any]], chance: random.Random) -> list[Path]:
    """The records in other files, another order, some of them twice."""
    folder.mkdir()
    records = records + chance.choices(records, k=len(records) // 3)
    chance.shuffle(records)
    cut = chance.randrange(len(records))
    (folder / "a.json").write_text(json.dumps({"Records": records[:cut]}))
    (folder / "b.ndjson").write_text("\n".join(map(json.dumps, records[cut:])))
    return [folder / "a.json", folder / "b.ndjson"]


@pytest.mark.parametrize("seed", range(4))
def test_events_mean_the_same_everywhere(
    content: DetectionEngine, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    found = records(chance, (20, 80, 200, 60)[seed % 4])
    heard = arrived(found, content, chance)
    wanted = final([orjson.loads(one) for one in streamed(heard, content, seed).alerts.values()])
    assert {one["state"] for one in wanted.values()} <= {"ended"}

    recorded = Fold(rulebook(), watch=content, lateness=MICROS)
    for topic, record in heard:
        recorded.feed(topic, record)
    recorded.end(END)
    assert final(recorded.told_alerts()) == wanted

    path = tmp_path / "tape.ndjson"
    chance.shuffle(heard)
    tape.write(path, ((topic.removeprefix("driftline."), "", orjson.loads(one)) for topic, one in heard))  # fmt: skip
    gathered = past([path], (), (), REDACTOR, content.wants_of)
    assert gathered.ticks
    assert final(folded(gathered, content)) == wanted

    files = logs(tmp_path / "logs", found, chance)
    assert final(folded(past((), trail(files), (), REDACTOR, content.wants_of), content)) == wanted
    tested = backtested(files, content)
    assert final(folded(tested, content)) == wanted
    assert len(tested.events) == len({one["eventID"] for one in found})


def trail(files: list[Path]) -> list[EventFiles]:
    return [EventFiles("aws", path) for path in files]


def folded(gathered: RecordsByTime, content: DetectionEngine) -> list[dict[str, Any]]:
    fold = Fold(rulebook(), watch=content, lateness=MICROS)
    fold.take(gathered, ticks=gathered.ticks)
    fold.end(max(gathered.last, END))
    assert not fold.dead
    assert gathered.problems == []
    return fold.told_alerts()


def backtested(files: list[Path], content: DetectionEngine) -> RecordsByTime:
    """As `backtest` gathers log files: only what a detection may make something of."""
    out, reader = RecordsByTime(), reader_of("aws", REDACTOR, content.wants_of("aws"))
    for path in files:
        one = RecordsByTime()
        one.log(path, reader, content.wants_of("aws"))
        out.join(one)
    out.follow(reader)
    return out


@pytest.mark.parametrize("seed", range(4))
def test_hits_are_counted_of_what_the_stream_gets(content: DetectionEngine, tmp_path: Path, seed: int) -> None:  # fmt: skip
    """However the events come; and none that the collector would not keep."""
    chance = random.Random(seed)
    found = records(chance, 120)
    counts = []
    for gathered in (
        past((), trail(logs(tmp_path / "one", found, chance)), (), REDACTOR, content.wants_of),
        backtested(logs(tmp_path / "two", found, chance), content),
    ):
        tally = Tally()
        looking = DetectionEngine(content.found)
        looking.matched = tally.hit
        fold = Fold(rulebook(), watch=looking, lateness=MICROS)
        fold.take(gathered, ticks=False)
        counts.append((tally.counts(), tally.days()))
    assert counts[0] == counts[1]
    by_name = {"describes": lambda one: one["eventName"].startswith("Describe"),
               "by_agent": lambda one: "odd" in one["userAgent"], "denied": lambda one: "errorCode" in one}  # fmt: skip
    for rule, matches in by_name.items():
        assert counts[0][0][rule] == sum(map(matches, found)), rule


def whole(chance: random.Random) -> list[tuple[datetime, str, bytes]]:
    """Readings and changes of some keys, and ticks, in the order of their times."""
    out: list[tuple[datetime, str, bytes]] = []
    uids = [f"{key(0).uid}{number}" for number in range(4)]
    for number in range(60):
        at, uid = number * 3 + chance.random(), chance.choice(uids)
        if chance.random() < 0.4:
            who = chance.choice(("ann", "bea"))
            raw = {"eventName": "PutKey", "eventSource": "kms.amazonaws.com"}
            one = change(at, who, uid=uid, id=f"c{number}", raw=raw)
            out.append((one.occurred_at, CHANGES.name, codec.encode_batch([one.encode()])))
        else:
            read = gone(at, uid=uid) if chance.random() < 0.1 else key(at, rotation=chance.random() < 0.6, uid=uid)  # fmt: skip
            out.append((minute(at), SNAPSHOTS.name, value(read)))
        if number % 10 == 9:
            out += [(minute(at), topic, one) for topic, one in ticks(minute(at))]
    return out


@pytest.mark.parametrize("seed", range(4))
def test_posture_and_events_together_mean_the_same_everywhere(content: DetectionEngine, tmp_path: Path, seed: int) -> None:  # fmt: skip
    chance = random.Random(seed)
    found = whole(chance)
    stream = Stream(rulebook(), content, MICROS, random.Random(seed))
    for _, topic, record in found:
        stream.feed(topic, record)
        stream.run()
    stream.end(END)
    replayed = Fold(rulebook(), watch=content, lateness=MICROS)
    for _, topic, record in found:
        replayed.feed(topic, record)
    replayed.end(END)
    some = chance.randrange(len(found))
    parts = [found[:some] + chance.sample(found, 5), found[some:]]
    paths = []
    for number, part in enumerate(parts):
        chance.shuffle(part)
        paths.append(tmp_path / f"{number}.tape")
        tape.write(paths[-1], ((topic.removeprefix("driftline."), "", orjson.loads(one)) for _, topic, one in part))  # fmt: skip
    gathered = past(paths, (), (), REDACTOR, content.wants_of)
    cut = Fold(rulebook(), watch=content, lateness=MICROS)
    cut.take(gathered, ticks=gathered.ticks)
    cut.end(END)
    alerts = [orjson.loads(one) for one in stream.alerts.values()]
    assert alerts
    assert final(alerts) == final(replayed.told_alerts()) == final(cut.told_alerts())
    assert stream.findings == replayed.findings == cut.findings
    assert stream.drifts == replayed.drifts == cut.drifts


def test_an_alert_that_goes_on_at_the_end_is_told_as_such(content: DetectionEngine) -> None:
    fold = Fold(rulebook(), watch=content, lateness=MICROS)
    raw = {"eventName": "CreateAccessKey", "eventSource": "iam.amazonaws.com"}
    for at in (0, 200):
        fold.feed(CHANGES.name, change(at, id=f"k{at}", raw=raw).encode())
    (still,) = fold.end()
    ended = {one["id"]: one for one in fold.told_alerts()}
    assert len(ended) == 2
    assert {one["state"] for one in ended.values()} == {"ended"}
    assert ended[still]["at"] == "2026-01-01T03:20:00.000000Z"


def test_an_absence_counts_for_what_looks_for_it(content: DetectionEngine) -> None:
    """It is known a timespan later than the event that it is told of."""
    title, raw = "never_on", {"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging"}
    stops = {
        at: change(at, uid="account:aws:111111111111", type=None, id=f"stop-{at}", action="StopLogging", kind="other", raw=raw).encode()
        for at in (1, 40)
    }  # fmt: skip
    fold = Fold(rulebook(), watch=content, lateness=MICROS)
    for at in range(120):
        if at in stops:
            fold.feed(CHANGES.name, stops[at])
        for record in (heard(at), tick(at)):
            fold.feed(CONTROL.name, record)
    (one,) = (alert for alert in fold.told_alerts() if alert["title"] == title)
    assert (one["count"], one["at"]) == (2, minute(40).isoformat().replace("+00:00", ".000000Z"))
