"""Upgrades an installation of an older version: topics, state, and templates at destinations."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from confluent_kafka import TopicPartition

from driftline.pipeline.kafka import topics_admin
from driftline.pipeline.kafka.client import TIMEOUT, consumer, explained, read_all
from driftline.pipeline.kafka.topics_admin import Difference
from driftline.pipeline.records.topics import (
    Topic,
    cases_of,
    groups_of,
    looking,
    state_of,
    topics_of,
)
from driftline.pipeline.settings.blocks import Kafka, Settings
from driftline.pipeline.state import rows as state_rows
from driftline.sinks.configured import ConfiguredSink, configured
from driftline.sinks.module import Checks

NEWEST = 50
"""Number of latest records examined in each partition of a changelog."""
Mark = Literal["current", "pending", "blocked"]


class Step(NamedTuple):
    """One part of the installation, and whether it is up to date."""

    what: str
    mark: Mark
    """`pending`: `upgrade --apply` will do it; `blocked`: manual action is needed first."""
    text: str


def check(settings: Settings) -> list[Step]:
    """The steps of an upgrade. Raises UserError if Kafka cannot be queried."""
    return _steps(settings, topics_admin.compare(settings.kafka, _wanted(settings)))


def _steps(settings: Settings, found: Sequence[Difference]) -> list[Step]:
    """`found`: the differences of topics."""
    return [*_topics(settings, found), *_states(settings), *_sinks(settings)]


def apply(settings: Settings, tell: Callable[[str], None]) -> list[Step]:
    """Does everything that is possible while programs run, reporting line by line; returns the remaining steps. Raises UserError."""
    found = topics_admin.compare(settings.kafka, _wanted(settings))
    steps = _steps(settings, found)
    if blocked := [step for step in steps if step.mark == "blocked"]:
        return blocked
    if all(step.mark == "current" for step in steps):
        return []
    if any(one.missing for one in found):
        for made in topics_admin.create(settings.kafka, *settings.app_ids):
            if made.created:
                tell(f"{made.name}: {made.text}")
    for line in topics_admin.alter(settings.kafka, found):
        tell(line)
    pending = {step.what for step in steps if step.mark == "pending"}
    for one in configured(settings):
        if _named(one) in pending:
            one.asked(one.install(tell))
    return [step for step in check(settings) if step.mark != "current"]


def _wanted(settings: Settings) -> tuple[Topic, ...]:
    return topics_of(*settings.app_ids)


def _topics(settings: Settings, found: Sequence[Difference]) -> Iterator[Step]:
    remade = [
        text
        for app_id in settings.app_ids
        for text in topics_admin.remade(
            settings.kafka, settings.worker.state_dir / app_id, settings.worker.accepted_topics
        )
    ]
    for text in remade:
        yield Step("topics", "blocked", text)
    for one in found:
        if one.missing:
            yield Step("topics", "pending", f"{one.topic.name} is missing")
        elif one.setting is not None:
            name, value = one.setting
            yield Step("topics", "pending", f"{one.topic.name}: {name} must be {value}")
        else:
            yield Step("topics", "blocked", one.problem)
    if not (found or remade):
        yield Step("topics", "current", f"{len(_wanted(settings))} topics")


def _states(settings: Settings) -> Iterator[Step]:
    """Rows are converted one by one when they next change, so there is nothing to apply."""
    for what, topic in (
        ("state of the worker", state_of(settings.worker.app_id)),
        ("state of the correlator", groups_of(settings.correlate.app_id)),
        ("state of the tickets", cases_of(settings.tickets.app_id)),
    ):
        versions = _versions(settings.kafka, topic)
        newest = max(versions, default=0)
        if newest > state_rows.STATE_VERSION:
            text = f"{topic.name} was written by a newer Driftline (version {newest}, this one knows {state_rows.STATE_VERSION}): install that one"
            yield Step(what, "blocked", text)
        elif not versions:
            yield Step(what, "current", "empty")
        else:
            old = sorted(one for one in versions if one < state_rows.STATE_VERSION)
            more = f"; rows of version {', '.join(map(str, old))} remain readable" if old else ""
            yield Step(what, "current", f"version {newest}{more}")


def _versions(kafka: Kafka, topic: Topic) -> set[int]:
    """The versions of the newest rows of a changelog; empty if there are none."""
    with explained(kafka):
        reader = consumer(kafka, looking())
        try:
            known = reader.list_topics(topic.name, TIMEOUT).topics[topic.name]
            start = {}
            for number in known.partitions if known.error is None else ():
                slot = TopicPartition(topic.name, number)
                low, high = reader.get_watermark_offsets(slot, TIMEOUT)
                if high > low:
                    start[number] = max(low, high - NEWEST)
        finally:
            reader.close()
        if not start:
            return set()
        rows = (message.value() for message in read_all(kafka, topic.name, start))
        return {version for row in rows if row and (version := state_rows.version(row)) is not None}


def _sinks(settings: Settings) -> Iterator[Step]:
    found = [one for one in configured(settings) if isinstance(one.module, Checks)]
    if not found:
        yield Step("sinks", "current", "no configured sink has a destination that can be checked")
    for one in found:
        problem = one.asked(one.check())
        yield Step(_named(one), "pending" if problem else "current", problem or "as it should be")


def _named(one: ConfiguredSink) -> str:
    return f"sink {one.name}"
