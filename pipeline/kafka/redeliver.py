"""Sends dead letters again: reads the original record and produces the affected element to the same partition.

The content of a letter may be hostile, so only Driftline's topics are written, and only records that match its hash."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Literal, NamedTuple

import orjson
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from driftline.pipeline.common.errors import Malformed, UserError
from driftline.pipeline.kafka.client import (
    NOWHERE,
    TIMEOUT,
    Delivery,
    consumer,
    flush,
    produce,
    producer,
    read_all,
    to_end,
)
from driftline.pipeline.kafka.dead_letters import Box, Letter, Origin, Outcome, acknowledgements
from driftline.pipeline.records import codec
from driftline.pipeline.records.topics import (
    CHANGES,
    CONTROL,
    DEADLETTER,
    FINDINGS,
    RESTATEMENTS,
    SNAPSHOTS,
    looking,
)
from driftline.pipeline.settings.blocks import Kafka

AT_ONCE = 200
"""Letters per acknowledgement; an original record has up to 4 MB."""
PATIENCE = 60.0
COMPACTED = "a newer record with the same key has replaced it"
RETRIED = (SNAPSHOTS, CHANGES, CONTROL, FINDINGS)


class Done(NamedTuple):
    """The outcome for one letter. Letters that are `kept` stay listed."""

    letter: Letter
    kind: Literal["retried", "overtaken", "expired", "refused"]
    detail: str = ""

    @property
    def kept(self) -> bool:
        return self.kind in ("expired", "refused")


def box(kafka: Kafka) -> Box:
    """Every letter without an acknowledgement."""
    return Box(read_all(kafka, DEADLETTER.name))


def acknowledge(kafka: Kafka, letters: Iterable[Letter], outcome: Outcome) -> None:
    """Acknowledges letters, so that they are no longer listed. Raises UserError if Kafka does not accept it."""
    out = Sender(kafka)
    out.acknowledge(letters, outcome)


def value(kafka: Kafka, letter: Letter) -> bytes | None:
    """The first 64 kB of the record, kept in the letter; None if retention deleted the letter."""
    origins = Origins(kafka)
    try:
        message = origins.read(Origin(DEADLETTER.name, *letter.slot, -1))
    finally:
        origins.close()
    return None if isinstance(message, str) else message.value() or b""


def retry(kafka: Kafka, letters: Sequence[Letter]) -> Iterator[Done]:
    """Sends letters again and acknowledges those that are closed. Raises UserError and KafkaException.

    If interrupted, letters sent but not yet acknowledged are sent once more the next time, which is harmless."""
    out, origins = Sender(kafka), Origins(kafka)
    ordered = iter(sorted(letters, key=lambda letter: letter.origin or Origin("", -1, -1, -1)))
    try:
        while some := list(islice(ordered, AT_ONCE)):
            done = [_again(letter, origins, out) for letter in some if not _is_finding(letter)]
            out.flush()
            done += _findings([letter for letter in some if _is_finding(letter)], origins, out)
            out.acknowledge((d.letter for d in done if d.kind == "retried"), "retried")
            out.acknowledge((d.letter for d in done if d.kind == "overtaken"), "overtaken")
            yield from done
    finally:
        origins.close()


class Origins:
    """Reads records by offset."""

    def __init__(self, kafka: Kafka) -> None:
        self._reader = consumer(kafka, looking(), enable_partition_eof=True)

    def close(self) -> None:
        self._reader.close()

    def ends(self, slot: TopicPartition, seconds: float = TIMEOUT) -> tuple[int, int]:
        """The oldest offset of a partition, and the next one to be written. Raises KafkaException."""
        low, high = self._reader.get_watermark_offsets(slot, seconds)
        return low, high

    def read(self, origin: Origin) -> Any:
        """The message at an origin; a reason (string) if it no longer exists. Raises KafkaException."""
        slot = TopicPartition(origin.topic, origin.partition)
        low, high = self.ends(slot)
        if origin.offset < low:
            return f"deleted by retention (the oldest offset is {low})"
        if origin.offset >= high:
            return f"{origin.topic}[{origin.partition}] ends at {high}: the topic was recreated"
        found = next(self.since(origin.topic, origin.partition, origin.offset), None)
        if found is None or found.offset() != origin.offset:
            return COMPACTED
        return found

    def since(self, topic: str, partition: int, offset: int) -> Iterator[Any]:
        """Messages from an offset to the current end. Raises KafkaException."""
        return to_end(self._reader, topic, {partition: offset})


class Sender:
    """Produces, and records the offsets of the latest messages."""

    def __init__(self, kafka: Kafka) -> None:
        self._producer, self._delivery = producer(kafka), Delivery()
        self.written: dict[bytes, int] = {}

    def send(self, topic: str, value: bytes, **more: Any) -> None:
        produce(self._producer, self._delivered, topic, value, **more)

    def _delivered(self, error: KafkaError | None, message: Any) -> None:
        self._delivery(error, message)
        if error is None and message.topic() == FINDINGS.name:
            self.written[message.key()] = message.offset()

    def flush(self) -> None:
        """Waits until everything is delivered. Raises UserError."""
        try:
            flush(self._producer, self._delivery, PATIENCE)
        except OSError as error:
            raise UserError(
                error, fix="nothing is lost and the letters stay listed; try again", place="Kafka"
            ) from None

    def acknowledge(self, letters: Iterable[Letter], outcome: Outcome) -> None:
        for record in acknowledgements([letter.id for letter in letters], outcome):
            self.send(**record)
        self.flush()


def _is_finding(letter: Letter) -> bool:
    return letter.origin is not None and letter.origin.topic == FINDINGS.name


def _checked(letter: Letter, read: Callable[[Origin], Any]) -> tuple[Any, bytes] | Done:
    """The original message and the affected element, or why there is none."""
    origin = letter.origin
    if origin is None or origin.offset < 0:
        return Done(letter, "refused", "its origin is unknown (the next sweep reads the resource again)")  # fmt: skip
    if origin.topic == RESTATEMENTS.name:
        return Done(letter, "overtaken", "the finding is written again within 12 hours")
    if origin.topic not in [topic.name for topic in RETRIED]:
        return Done(
            letter, "refused", f"{origin.topic} is not a topic to which letters are sent again"
        )
    try:
        message = read(origin)
    except KafkaException as error:
        if error.args[0].code() not in NOWHERE:
            raise
        return Done(letter, "refused", f"there is no {origin.topic}[{origin.partition}]")
    if isinstance(message, str):
        return Done(letter, "expired", message)
    whole = message.value() or b""
    try:
        element = whole if origin.place < 0 else codec.split(whole)[origin.place]
    except (Malformed, IndexError):
        return Done(letter, "refused", f"its origin has no element {origin.place}")
    if hashlib.sha256(element).hexdigest() != letter.sha256:
        return Done(letter, "refused", "its origin now holds another record: the topic was recreated")  # fmt: skip
    return message, element


def _again(letter: Letter, origins: Origins, out: Sender) -> Done:
    found = _checked(letter, origins.read)
    if isinstance(found, Done):
        return found
    message, element = found
    place = letter.origin.place if letter.origin else -1
    value = element if place < 0 else codec.encode_batch([element])
    out.send(message.topic(), value, key=message.key(), partition=message.partition())
    return Done(letter, "retried")


def _findings(letters: Sequence[Letter], origins: Origins, out: Sender) -> Iterator[Done]:
    """Sends findings again, partition by partition. A finding with a newer revision is never sent, because
    compaction keeps the last record written."""
    for number in sorted({letter.origin.partition for letter in letters if letter.origin}):
        mine = [x for x in letters if x.origin and x.origin.partition == number]
        wanted = {x.origin.offset for x in mine if x.origin}
        there, newest, end = _scanned(number, wanted, origins)

        def look(origin: Origin, there: dict[int, Any] = there, end: int = end) -> Any:
            made_anew = (
                f"{FINDINGS.name}[{origin.partition}] ends at {end}: the topic was recreated"
            )
            return there.get(origin.offset, made_anew if origin.offset >= end else COMPACTED)

        sent: dict[bytes, Any] = {}
        for letter in mine:
            found = _checked(letter, look)
            if isinstance(found, Done):
                yield found._replace(kind="overtaken") if found.detail is COMPACTED else found
            elif overtakes(newest[found[0].key()], found[0]):
                yield Done(letter, "overtaken", "a newer revision exists")
            else:
                sent[found[0].key()] = found[0]
                yield Done(letter, "retried")
        _settle(number, sent, end, origins, out)


def _scanned(
    number: int, wanted: set[int], origins: Origins
) -> tuple[dict[int, Any], dict[bytes, Any], int]:
    """Reads a partition once: the wanted records by offset, the newest record of each of their keys, and the end."""
    there: dict[int, Any] = {}
    newest: dict[bytes, Any] = {}
    end = 0
    try:
        for message in origins.since(FINDINGS.name, number, max(0, min(wanted))):
            end, key = message.offset() + 1, message.key()
            if message.offset() in wanted:
                there[message.offset()] = message
                newest.setdefault(key, message)
            if key in newest and overtakes(message, newest[key]):
                newest[key] = message
    except KafkaException as error:
        if error.args[0].code() not in NOWHERE:
            raise
    return there, newest, end


def _settle(number: int, sent: dict[bytes, Any], end: int, origins: Origins, out: Sender) -> None:
    """Writes findings. If a worker wrote a newer revision meanwhile, that one is written again after ours."""
    while sent:
        for key, message in sent.items():
            out.send(FINDINGS.name, message.value(), key=key, partition=number)
        out.flush()
        newer: dict[bytes, Any] = {}
        for message in origins.since(FINDINGS.name, number, end):
            end, key = message.offset() + 1, message.key()
            before_ours = key in sent and message.offset() < out.written[key]
            if before_ours and overtakes(message, newer.get(key, sent[key])):
                newer[key] = message
        sent = newer


def overtakes(later: Any, earlier: Any) -> bool:
    """Whether a later record of the same key replaces another: a deletion, a higher revision, or a record whose
    revision cannot be read."""
    if later is earlier:
        return False
    revisions = [_revision(message.value()) for message in (later, earlier)]
    return None in revisions or revisions[0] > revisions[1]  # type: ignore[operator] # neither is None


def _revision(value: bytes | None) -> int | None:
    try:
        found = orjson.loads(value or b"")["revision"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, int) else None
