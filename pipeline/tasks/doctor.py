"""The checks of `driftline doctor` on settings, state, Kafka, topics, programs and sinks."""

import os
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import libversion

from driftline.collectors import installed
from driftline.collectors.collector import CollectorModule, ExaminedProvider, Listens
from driftline.pipeline.common.plural import number_of
from driftline.pipeline.kafka.client import explained, reached
from driftline.pipeline.kafka.redeliver import box
from driftline.pipeline.ops.checks import Check, Line, failed
from driftline.pipeline.records.topics import (
    CHANGES,
    CONTROL,
    SIGNALS,
    SNAPSHOTS,
    group_id,
)
from driftline.pipeline.settings.blocks import Settings
from driftline.pipeline.tasks import doctor_kafka
from driftline.sinks.configured import ConfiguredSink, configured, defaults
from driftline.sinks.installed import kinds, module
from driftline.sinks.module import Examined

if TYPE_CHECKING:
    from driftline.pipeline.detections.rule import Detection

BROKERS = "check that Kafka is running and that kafka.bootstrap_servers names it"


def areas() -> tuple[str, ...]:
    """What `--only` names: a kind of sink, or a provider, is an area where it has checks of its own."""
    sinks = (kind for kind in kinds() if isinstance(module(kind), Examined))
    return ("settings", "kafka", *sinks, *(one.provider for one in _examined_collectors()))


def areas_in_use(settings: Settings) -> list[str]:
    """The areas, of the providers those that are read."""
    unused = {one.provider for one in installed.modules()} - {
        one.provider for one in in_use(settings)
    }
    return [area for area in areas() if area not in unused]


def in_use(settings: Settings) -> list[CollectorModule]:
    """The collectors that have a block in the settings; else the first, with its defaults."""
    every = installed.modules()
    return [one for one in every if one.provider in settings.model_fields_set] or every[:1]


def _examined_collectors() -> list[CollectorModule]:
    return [one for one in installed.modules() if isinstance(one, ExaminedProvider)]


def checks(settings: Settings, seconds: float) -> dict[str, list[Check]]:
    """Every check by area. Time-outs of calls are slightly shorter than those of their checks."""
    short = seconds * 0.8
    group = partial(doctor_kafka.group, settings)
    worker, correlator = settings.worker.app_id, settings.correlate.app_id
    home, sinks = settings.worker.state_dir, _sinks(settings)
    return {
        "settings": [
            Check("settings", lambda: _settings(settings)),
            Check("rules", lambda: _rules(settings)),
            Check("detections", lambda: _detections(settings)),
            Check("state folder", lambda: _state(home, worker)),
        ],
        "kafka": [
            Check("Kafka", lambda: _kafka(settings, short), silent=BROKERS),
            Check("topics", lambda: _topics(settings), "Kafka", BROKERS),
            Check("clock", lambda: doctor_kafka.clock(settings, short), "Kafka", BROKERS),
            *_events(settings, short),
            Check("worker", lambda: group("worker", worker, (SNAPSHOTS, CHANGES, CONTROL), short), "Kafka", BROKERS),
            Check("correlate", lambda: group("correlate", correlator, (SIGNALS,), short), "Kafka", BROKERS),
            *(_group(settings, sink, len(sinks) == 1, short) for sink in sinks),
            Check("sweeps", lambda: _sweeps(settings), "Kafka", "see: driftline coverage"),
            Check("exceptions", lambda: _exceptions(settings), "Kafka", "see: driftline exceptions list"),
            Check("dead letters", lambda: _letters(settings), "Kafka", "see: driftline deadletter list"),
        ],
        **{area: [] for area in areas()[2:]},
        **_examined(sinks, short),
        **{
            one.provider: one.doctor(settings.collector(one.provider), short)
            for one in installed.modules() if isinstance(one, ExaminedProvider)
        },
    }  # fmt: skip


def _events(settings: Settings, seconds: float) -> Iterator[Check]:
    """How far the change events of every provider in use have come."""
    listening = [one for one in in_use(settings) if isinstance(one, Listens)]
    for one in listening:
        what = "change events" if len(listening) == 1 else f"change events of {one.title}"
        ask = partial(doctor_kafka.events, settings, one, what, seconds)
        yield Check(what, ask, "Kafka", BROKERS)


def _sinks(settings: Settings) -> list[ConfiguredSink]:
    """The sinks of the settings; else the first kind that has a block there, with its defaults."""
    found = configured(settings)
    if any(isinstance(one.module, Examined) for one in found):
        return found
    return found + [one for one in defaults(settings) if isinstance(one.module, Examined)][:1]


def _group(settings: Settings, sink: ConfiguredSink, alone: bool, seconds: float) -> Check:
    """The progress of a sink's consumer group."""
    what = "sink" if alone else f"sink {sink.name}"
    group = group_id(f"sink-{sink.name}")
    return Check(
        what,
        lambda: doctor_kafka.group(settings, f"sink {sink.name}", group, sink.module.topics, seconds),
        "Kafka",
        BROKERS,
    )  # fmt: skip


def _examined(sinks: Sequence[ConfiguredSink], seconds: float) -> dict[str, list[Check]]:
    """The checks of every sink that has some, by kind; sinks with another name are labelled with it."""
    out: dict[str, list[Check]] = {}
    for sink in sinks:
        if not isinstance(sink.module, Examined):
            continue
        own = "" if sink.name == sink.module.kind else f" {sink.name}"
        for check in sink.module.doctor(sink.settings, sink.context, seconds):
            needs = f"{check.needs}{own}" if check.needs else None
            named = replace(check, what=f"{check.what}{own}", needs=needs)
            out.setdefault(sink.module.kind, []).append(named)
    return out


def _settings(settings: Settings) -> Iterator[Line]:
    yield Line("settings", "ok", "read and valid")
    key = settings.redaction.key
    step = "openssl rand -hex 32 > redaction.key, and set redaction.key_file or DRIFTLINE_REDACTION__KEY"
    if key is None:
        yield Line("redaction key", "fail", "missing: collectors do not start without it", step)
    elif len(key.get_secret_value()) < 16:
        yield Line("redaction key", "fail", "shorter than 16 characters", step)
    else:
        yield Line("redaction key", "ok", "set")


def _rules(settings: Settings) -> Iterator[Line]:
    from driftline.pipeline.offline.content import rulebook_and_options

    rulebook, _ = rulebook_and_options(settings)
    count = len(rulebook.rules)
    step = "" if count else "set rules.builtin, or rules.paths"
    yield Line("rules", "ok" if count else "fail", f"{number_of(count, 'rule')}, hash {rulebook.hash[:12]}", step)  # fmt: skip


def _detections(settings: Settings) -> Iterator[Line]:
    """The detections, and those for which no source is configured."""
    from driftline.pipeline.detections.rule import OWN
    from driftline.pipeline.offline.content import watch

    found = watch(settings).found
    rules, correlations = len(found.rules), len(found.correlations)
    text, what = (
        f"{number_of(rules, 'detection')}, {number_of(correlations, 'correlation')}",
        "detections",
    )
    hearing = [
        one for one in installed.modules() if settings.collector(one.provider).events.sources
    ]
    if hearing:
        yield Line(what, "ok", text)
        others = {one.provider for one in installed.modules()}
        for one in hearing:
            mine = [r for r in found.rules.values() if r.logsource.get("product") not in others - {one.provider}]  # fmt: skip
            yield from _deaf(mine, one, settings.collector(one.provider).events.sources)
        return
    deaf = sum(rule.logsource.get("product") != OWN for rule in found.rules.values())
    yield Line(what, "warn" if deaf else "ok", f"{text}; {deaf} of them need change events, and no source is configured",
               "deploy/aws/README.md, then aws.events.queues" if deaf else "")  # fmt: skip


_READS = re.compile(r"(?:batchget|describe|get|head|list|lookup|query|search)", re.I)


def _only_reads(rule: "Detection") -> bool:
    """Whether a rule names events, all of which are read-only by their names."""
    names = rule.anchor.get("eventName", frozenset[str]())
    return bool(names) and all(map(_READS.match, names))


def _deaf(rules: Iterable["Detection"], collector: CollectorModule, configured: Collection[str]) -> Iterator[Line]:  # fmt: skip
    """Detections that cannot fire because their source is missing."""
    from driftline.pipeline.detections.correlations import driftline_block

    asking: dict[str, list[str]] = {}
    for rule in rules:
        own = driftline_block(rule.about).get("sources", ())
        for source in [*own, "reads"] if _only_reads(rule) and "reads" not in own else own:
            asking.setdefault(source, []).append(rule.name or rule.id)
    extra = collector.extra_sources if isinstance(collector, Listens) else {}
    for source, (way, text, step) in extra.items():
        if source in asking and way not in configured:
            yield Line("detections", "warn", f"{text} are not delivered: {', '.join(sorted(asking[source])[:5])} cannot fire", step)  # fmt: skip
    if reads := sorted(asking.get("reads", ())):
        yield Line("detections", "ok", f"{', '.join(reads[:5])} use read-only calls, which must be forwarded (deploy/aws, read_events)")  # fmt: skip


def _state(home: Path, app_id: str) -> Iterator[Line]:
    """The worker's state is sensitive: other users must not be able to read it."""
    what, folder = "state folder", home / app_id
    if not folder.exists():
        nearest = next(path for path in folder.parents if path.exists())
        if os.access(nearest, os.W_OK | os.X_OK):
            yield Line(what, "ok", f"{folder} does not exist yet; a worker of this user creates it")
        else:
            yield Line(what, "warn", f"{folder} does not exist, and this user cannot create it",
                       f"for a worker here: install -d -m 0700 -o USER {shlex.quote(str(home))}")  # fmt: skip
        return
    paths = [folder, *folder.rglob("*")]
    open_ = [path for path in paths if path.lstat().st_mode & 0o077]
    if open_:
        yield Line(what, "fail", f"other users can read {len(open_)} of {len(paths)} files, such as {open_[0]}",
                   f"chmod -R go= {shlex.quote(str(folder))}")  # fmt: skip
    elif not os.access(folder, os.W_OK | os.X_OK):
        yield Line(
            what, "warn", f"{folder} belongs to another user", "run doctor as the worker's user"
        )
    else:
        yield Line(what, "ok", f"{folder}, not readable by other users")


def _kafka(settings: Settings, seconds: float) -> Iterator[Line]:
    kafka = settings.kafka
    security = " ".join(filter(None, (kafka.security_protocol, kafka.sasl_mechanism)))
    where = f"{kafka.bootstrap_servers} ({security})"
    with explained(kafka):
        known = reached(kafka, seconds).list_topics(timeout=seconds)
    brokers = len(known.brokers)
    text = f"{brokers} broker{'s' * (brokers > 1)} at {where}; librdkafka {libversion()[0]}"
    yield Line("Kafka", "ok", text)


def _topics(settings: Settings) -> Iterator[Line]:
    from driftline.pipeline.kafka import topics_admin
    from driftline.pipeline.records.topics import topics_of

    every = topics_of(*settings.app_ids)
    found = topics_admin.compare(settings.kafka, every)
    for app_id in settings.app_ids:
        for problem in topics_admin.remade(
            settings.kafka, settings.worker.state_dir / app_id, settings.worker.accepted_topics
        ):
            yield failed("topics", problem)
    if not found:
        yield Line("topics", "ok", f"{len(every)} topics as expected")
    for broken in (True, False):
        for problem in topics_admin.told((x for x in found if x.broken == broken), len(every)):
            yield failed("topics", problem, "fail" if broken else "warn")


def _exceptions(settings: Settings) -> Iterator[Line]:
    """Reports how many are in force and how many end soon; never a problem."""
    from driftline.pipeline.kafka.exception_store import stored

    now = datetime.now(UTC)
    standing = [r for r in stored(settings.kafka).values() if r.in_force(now)]
    soon = sum(record.until <= now + timedelta(days=14) for record in standing)
    yield Line("exceptions", "ok", f"{len(standing)} in force, {soon} of them end within 14 days")


def _sweeps(settings: Settings) -> Iterator[Line]:
    from driftline.collectors.base import known_from
    from driftline.collectors.coverage import rows
    from driftline.pipeline.kafka.client import read_compacted
    from driftline.pipeline.records.topics import SWEEPS

    with explained(settings.kafka):
        _, headers, _ = known_from(read_compacted(settings.kafka, SWEEPS.name).items())
    found = rows(headers.values(), datetime.now(UTC))
    lacking = sum(not row.healthy for row in found)
    if not found:
        yield Line("sweeps", "warn", "no sweep yet", "run: driftline collect aws")
    elif lacking:
        yield Line("sweeps", "warn", f"{lacking} of {len(found)} scopes not read completely within the last day",
                   "see: driftline coverage --lacking")  # fmt: skip
    else:
        yield Line(
            "sweeps",
            "ok",
            f"{number_of(len(found), 'scope')}, each read completely within the last day",
        )


def _letters(settings: Settings) -> Iterator[Line]:
    with explained(settings.kafka):
        count = len(box(settings.kafka).letters)
    yield Line("dead letters", "warn" if count else "ok", f"{count}" if count else "none",
               "see: driftline deadletter list" if count else "")  # fmt: skip
