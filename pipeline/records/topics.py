"""Definitions of all topics: key, partitions, clean-up policy, retention.

A process belongs to one deployment: `use_prefix` is called once, when settings are loaded, and determines the names of
topics and consumer groups from then on."""

from dataclasses import dataclass, field, replace

from driftline.pipeline.common import limits

PARTITIONS = 24
"""Changing it requires a new app id and a full sweep, because resources are assigned to `partition(uid)`."""

DAY_MS = 86_400_000
DEFAULT_PREFIX = "driftline."
_prefix = DEFAULT_PREFIX


def use_prefix(prefix: str) -> None:
    """Prefix of the names of this process's topics and consumer groups."""
    global _prefix
    _prefix = prefix


def in_use() -> str:
    """The prefix in use."""
    return _prefix


def group_id(name: str, prefix: str | None = None) -> str:
    """The name of a consumer group, such as `driftline-sink-ndjson`, with this prefix (default: the one in use)."""
    return f"{(prefix or _prefix).rstrip('.-_')}-{name}"


def short(topic: str) -> str:
    """A topic's name without the prefix in use."""
    return topic.removeprefix(_prefix)


def looking() -> str:
    """The consumer group of clients that only read: librdkafka requires a name. It never commits."""
    return group_id("look")


def readers(provider: str) -> str:
    """The consumer group of a provider's `collect reads`. Each skips requests to other providers. The name for AWS has no
    suffix, so that existing offsets remain valid."""
    return group_id("reads" if provider == "aws" else f"reads-{provider}")


@dataclass(frozen=True)
class Topic:
    own: str
    """The name without the prefix; for a changelog, which is named after an app id, the whole name."""
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
        """The topic's settings with the broker's names."""
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
"""Records carry the broker's time, which reveals a writer with a wrong clock."""

# Inputs are neither compacted nor transactional, either of which would cause legitimate gaps in their offsets.
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
    },  # longer than any restart: stale late entries are repaired before
    prefixed=False,
)

GROUPS = replace(STATE, own=f"{CORRELATE_ID}-state-changelog", key="correlation, group")
CASES = replace(STATE, own=f"{CASES_ID}-state-changelog", key="ticket group, or a member of it")

TOPICS: tuple[Topic, ...] = (
    SNAPSHOTS, CHANGES, CONTROL, SWEEPS, EXCEPTIONS, BASELINES, READS, FINDINGS, DRIFT, SIGNALS, ALERTS, MEMBERS, TICKETS, RESTATEMENTS, FEEDBACK,
    TICKET_LINKS, DELIVERED, SCORES, DEADLETTER, STATE, GROUPS, CASES,
)  # fmt: skip


def state_of(app_id: str) -> Topic:
    """The changelog of workers with that app id."""
    return replace(STATE, own=f"{app_id}-state-changelog")


def topics_of(
    app_id: str, correlate_id: str = CORRELATE_ID, cases_id: str = CASES_ID
) -> tuple[Topic, ...]:
    """All topics, including the changelogs of these app ids."""
    own = {
        STATE.name: state_of(app_id),
        GROUPS.name: groups_of(correlate_id),
        CASES.name: cases_of(cases_id),
    }
    return tuple(own.get(topic.name, topic) for topic in TOPICS)


def groups_of(app_id: str) -> Topic:
    """The changelog of correlators with that app id."""
    return replace(state_of(app_id), key=GROUPS.key)


def cases_of(app_id: str) -> Topic:
    """The changelog of a `cases` worker of that app id."""
    return replace(state_of(app_id), key=CASES.key)


def murmur2(data: bytes) -> int:
    """Kafka's partitioner hash (Java client, librdkafka's murmur2_random), as a positive 31-bit number."""
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
    """The partition of a resource, the same for all producers."""
    return murmur2(uid.encode()) % count


def _keys() -> list[bytes]:
    found: dict[int, bytes] = {}
    number = 0
    while len(found) < PARTITIONS:
        found.setdefault(partition(f"mark-{number}"), f"mark-{number}".encode())
        number += 1
    return [found[home] for home in range(PARTITIONS)]


MARK_KEYS = _keys()
"""A key for each partition: to reach all of them, send a record with each key."""
