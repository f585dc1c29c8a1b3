"""Each reader of a source tells how far it has come by a name of its own, which it gets again after it was killed."""

from pathlib import Path
from typing import Any

from driftline.collectors.events.watermark import WatermarkReporter, reader_name
from driftline.pipeline.model import Tick
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import PARTITIONS
from driftline.pipeline.settings.blocks import Kafka


class Producer:
    def __init__(self) -> None:
        self.ticks: list[Tick] = []

    def produce(self, topic: str, value: bytes, on_delivery: Any, **more: Any) -> None:
        tick = codec.control(value).tick
        assert tick is not None
        self.ticks.append(tick)

    def flush(self, _: float) -> int:
        return 0


def test_names_are_taken_side_by_side_and_given_back(tmp_path: Path) -> None:
    with reader_name(tmp_path) as first, reader_name(tmp_path) as second:
        assert first.endswith("-0")
        assert second.endswith("-1")
    with reader_name(tmp_path) as again:
        assert again == first


def test_where_nothing_may_be_written_it_has_a_name_all_the_same(tmp_path: Path) -> None:
    with reader_name(tmp_path / "nowhere") as name:
        assert "-p" in name


def test_a_reader_tells_and_ends_by_its_name() -> None:
    out, until = Producer(), [1000.0]
    teller = WatermarkReporter(
        Kafka(),
        "aws",
        {"eventbridge": lambda: until[0], "log": lambda: 0.0},
        {"log": 0.0},
        out,
        "host-0",
    )
    teller.tell()
    teller.tell()
    teller.end()
    assert len(out.ticks) == 2 * PARTITIONS
    assert {(t.source, t.reader, t.watermark.timestamp()) for t in out.ticks} == {
        ("aws.eventbridge", "host-0", 880)
    }
    assert [t.ended for t in out.ticks] == [False] * PARTITIONS + [True] * PARTITIONS
