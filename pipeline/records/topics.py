"""Every topic: what it is keyed by, how many partitions, how it is cleaned, how long it is kept.

A process belongs to one deployment: `use_prefix` is called once, when its settings are loaded, and names every topic and
consumer group from then on."""

from dataclasses import dataclass, field, replace

from driftline.pipeline.common import limits

PARTITIONS = 24
"""Changing it means a new app id and a full sweep: resources live on `partition(uid)`."""

DAY_MS = 86_400_000
DEFAULT_PREFIX = "driftline."
_prefix = DEFAULT_PREFIX


def use_prefix(prefix: str) -> None:
    """What the names of this process's topics and consumer groups begin with."""
    global _prefix
    _prefix = prefix


def in_use() -> str:
    """The prefix in use."""
    return _prefix


def group_id(name: str, prefix: str | None = None) -> str:
    """A consumer group of the deployment with that prefix (default: the one in use): `driftline-sink-ndjson`."""
    return f"{(prefix or _prefix).rstrip('.-_')}-{name}"


def short(topic: str) -> str:
    """A topic's name without the prefix in use."""
    return topic.removeprefix(_prefix)


def looking() -> str:
    """The consumer group of who only looks: librdkafka wants a name. Nothing is ever committed in it."""
    return group_id("look")


def readers(provider: str) -> str:
    """The consumer group of a provider's collectors that read single resources again: each passes over the wishes of the
    others. AWS's has the name from before there were others, so that its offsets stay."""
    return group_id("reads" if provider == "aws" else f"reads-{provider}")


@dataclass(frozen=True)
class Topic:
    own: str
    """Its name after the prefix; of a changelog, which is named after an app id, the whole name."""
    key: str
    partitions: int = PARTITIONS
    cleanup: str = "delete"
    retention_ms: int = 7 * DAY_MS
    config: dict[str, str] = field(default_factory=dict, hash=False)
    prefixed: bool = True

    @property
    def name(self) -> str:
        """As Kafka knows it."""
        return _prefix + self.own if self.prefixed else self.own

    @property
    def expires(self) -> bool:
        """Whether records are deleted by age."""
        return "delete" in self.cleanup

    def settings(self) -> dict[str, str]:
        """The topic's settings as the broker names them."""
        own = {
            "cleanup.policy": self.cleanup,
            "max.message.bytes": str(limits.RECORD),
            **self.config,
        }
        if self.expires:
            own["retention.ms"] = str(self.retention_ms)
        return own


COMPACTED = {
    "min.compaction.lag.ms": str(7 * DAY_MS),  # a sink that lags a week misses no transition
    "delete.retention.ms": str(7 * DAY_MS),
}

BROKERS_TIME = {"message.timestamp.type": "LogAppendTime"}
"""Records carry the broker's time, by which it shows whether who wrote them has a wrong clock."""

# Inputs are neither compacted nor written in transactions: a hole in their offsets would be one by right.
SNAPSHOTS = Topic("snapshots", "none: batches of one partition", config=BROKERS_TIME)
CHANGES = Topic("changes", "resource uid, or none: batches of one partition", config=BROKERS_TIME)
CONTROL = Topic("control", "none: to every partition", config=BROKERS_TIME)
SWEEPS = Topic(
    "sweeps",
    "scope, scope#page",
    1,
    "compact",
    config={"delete.retention.ms": str(7 * DAY_MS)},
)
EXCEPTIONS = Topic(
    "exceptions",
    "exception id",
    1,
    "compact",
    config={"delete.retention.ms": str(7 * DAY_MS)},
)
BASELINES = Topic(
    "baselines",
    "kind, resource uid",
    cleanup="compact",
    config={"delete.retention.ms": str(7 * DAY_MS)},
)
READS = Topic("reads", "resource uid", 6, retention_ms=DAY_MS)
FINDINGS = Topic("findings", "finding id", cleanup="compact", config=COMPACTED)
DRIFT = Topic("drift", "resource uid", retention_ms=30 * DAY_MS)
SIGNALS = Topic("signals", "correlation group", config=BROKERS_TIME)
ALERTS = Topic("alerts", "alert id", cleanup="compact", config=COMPACTED)
MEMBERS = Topic("members", "ticket key")
TICKETS = Topic("tickets", "ticket key", cleanup="compact", config=COMPACTED)
RESTATEMENTS = Topic("restatements", "finding id", retention_ms=2 * DAY_MS)
FEEDBACK = Topic("feedback", "ticket key, or alert id", retention_ms=30 * DAY_MS)
TICKET_LINKS = Topic("ticket-links", "sink, ticket key", cleanup="compact", config=COMPACTED)
DELIVERED = Topic(
    "delivered", "sink, target, id", cleanup="compact,delete", retention_ms=30 * DAY_MS
)
SCORES = Topic("scores", "bucket, scope, framework, control", cleanup="compact", config=COMPACTED)
DEADLETTER = Topic("deadletter", "origin topic", 1, retention_ms=14 * DAY_MS)
APP_ID, CORRELATE_ID, CASES_ID = "driftline-assess", "driftline-correlate", "driftline-cases"
STATE = Topic(
    f"{APP_ID}-state-changelog",
    "resource uid, head or body",
    cleanup="compact",
    config={
        "min.compaction.lag.ms": str(DAY_MS // 24)
    },  # longer than any restart: a stale late entry is healed before
    prefixed=False,
)

GROUPS = replace(STATE, own=f"{CORRELATE_ID}-state-changelog", key="correlation, group")
CASES = replace(STATE, own=f"{CASES_ID}-state-changelog", key="ticket group, or a member of it")

TOPICS: tuple[Topic, ...] = (
    SNAPSHOTS, CHANGES, CONTROL, SWEEPS, EXCEPTIONS, BASELINES, READS, FINDINGS, DRIFT, SIGNALS, ALERTS, MEMBERS, TICKETS, RESTATEMENTS, FEEDBACK,
    TICKET_LINKS, DELIVERED, SCORES, DEADLETTER, STATE, GROUPS, CASES,
)  # fmt: skip


def state_of(app_id: str) -> Topic:
    """The changelog of a worker of that app id."""
    return replace(STATE, own=f"{app_id}-state-changelog")


def topics_of(
    app_id: str, correlate_id: str = CORRELATE_ID, cases_id: str = CASES_ID
) -> tuple[Topic, ...]:
    """Every topic, with the changelogs of those app ids."""
    own = {
        STATE.name: state_of(app_id),
        GROUPS.name: groups_of(correlate_id),
        CASES.name: cases_of(cases_id),
    }
    return tuple(own.get(topic.name, topic) for topic in TOPICS)


def groups_of(app_id: str) -> Topic:
    """The changelog of a correlator of that app id."""
    return replace(state_of(app_id), key=GROUPS.key)


def cases_of(app_id: str) -> Topic:
    """The changelog of a `cases` worker of that app id."""
    return replace(state_of(app_id), key=CASES.key)


def murmur2(data: bytes) -> int:
    """Kafka's own partitioner hash (Java client, librdkafka's murmur2_random), as a positive 31-bit number."""
    m, mask, n = 0x5BD1E995, 0xFFFFFFFF, len(data)
    h = 0x9747B28C ^ n
    for i in range(0, n - n % 4, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        h = (h * m & mask) ^ ((k ^ k >> 24) * m & mask)
    if n % 4:
        h = (h ^ int.from_bytes(data[n - n % 4 :], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7FFFFFFF


def partition(uid: str, count: int = PARTITIONS) -> int:
    """Where a resource lives; the same for every producer."""
    return murmur2(uid.encode()) % count


def _keys() -> list[bytes]:
    found: dict[int, bytes] = {}
    number = 0
    while len(found) < PARTITIONS:
        found.setdefault(partition(f"mark-{number}"), f"mark-{number}".encode())
        number += 1
    return [found[home] for home in range(PARTITIONS)]


MARK_KEYS = _keys()
"""A key for every partition: what is to reach all of them is sent once with each."""
