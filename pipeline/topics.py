"""Every topic: what it is keyed by, how many partitions, how it is cleaned, how long it is kept."""

from dataclasses import dataclass, field, replace

PARTITIONS = 24
"""Changing it means a new app id and a full sweep: resources live on `partition(uid)`."""

DAY_MS = 86_400_000
LOOKING = "driftline-look"
"""The consumer group of who only looks: librdkafka wants a name. Nothing is ever committed in it."""
READERS = "driftline-reads"
"""The consumer group of AWS's collectors that read single resources again; see readers()."""


@dataclass(frozen=True)
class Topic:
    name: str
    key: str
    partitions: int = PARTITIONS
    cleanup: str = "delete"
    retention_ms: int = 7 * DAY_MS
    config: dict[str, str] = field(default_factory=dict)

    def settings(self) -> dict[str, str]:
        """The topic's settings as the broker names them."""
        own = {"cleanup.policy": self.cleanup, "max.message.bytes": "4000000", **self.config}
        if "delete" in self.cleanup:
            own["retention.ms"] = str(self.retention_ms)
        return own


COMPACTED = {
    "min.compaction.lag.ms": str(7 * DAY_MS),  # a sink that lags a week misses no transition
    "delete.retention.ms": str(7 * DAY_MS),
}

# Inputs are neither compacted nor written in transactions: a hole in their offsets would be one by right.
SNAPSHOTS = Topic("driftline.snapshots", "none: batches of one partition")
CHANGES = Topic("driftline.changes", "resource uid, or none: batches of one partition")
CONTROL = Topic("driftline.control", "none: to every partition")
SWEEPS = Topic(
    "driftline.sweeps",
    "scope, scope#page",
    1,
    "compact",
    config={"delete.retention.ms": str(7 * DAY_MS)},
)
EXCEPTIONS = Topic(
    "driftline.exceptions",
    "exception id",
    1,
    "compact",
    config={"delete.retention.ms": str(7 * DAY_MS)},
)
BASELINES = Topic(
    "driftline.baselines",
    "kind, resource uid",
    cleanup="compact",
    config={"delete.retention.ms": str(7 * DAY_MS)},
)
READS = Topic("driftline.reads", "resource uid", 6, retention_ms=DAY_MS)
FINDINGS = Topic("driftline.findings", "finding id", cleanup="compact", config=COMPACTED)
DRIFT = Topic("driftline.drift", "resource uid", retention_ms=30 * DAY_MS)
SIGNALS = Topic("driftline.signals", "correlation group")
ALERTS = Topic("driftline.alerts", "alert id", cleanup="compact", config=COMPACTED)
MEMBERS = Topic("driftline.members", "ticket key")
TICKETS = Topic("driftline.tickets", "ticket key", cleanup="compact", config=COMPACTED)
RESTATEMENTS = Topic("driftline.restatements", "finding id", retention_ms=2 * DAY_MS)
FEEDBACK = Topic("driftline.feedback", "ticket key, or alert id", retention_ms=30 * DAY_MS)
TICKET_LINKS = Topic(
    "driftline.ticket-links", "sink, ticket key", cleanup="compact", config=COMPACTED
)
DELIVERED = Topic(
    "driftline.delivered", "sink, id", cleanup="compact,delete", retention_ms=30 * DAY_MS
)
SCORES = Topic(
    "driftline.scores", "bucket, scope, framework, control", cleanup="compact", config=COMPACTED
)
DEADLETTER = Topic("driftline.deadletter", "origin topic", 1, retention_ms=14 * DAY_MS)
APP_ID, CORRELATE_ID = "driftline-assess", "driftline-correlate"
STATE = Topic(
    f"{APP_ID}-state-changelog",
    "resource uid, head or body",
    cleanup="compact",
    config={
        "min.compaction.lag.ms": str(DAY_MS // 24)
    },  # longer than any restart: a stale late entry is healed before
)

GROUPS = replace(STATE, name=f"{CORRELATE_ID}-state-changelog", key="correlation, group")

TOPICS: tuple[Topic, ...] = (
    SNAPSHOTS, CHANGES, CONTROL, SWEEPS, EXCEPTIONS, BASELINES, READS, FINDINGS, DRIFT, SIGNALS, ALERTS, MEMBERS, TICKETS, RESTATEMENTS, FEEDBACK,
    TICKET_LINKS, DELIVERED, SCORES, DEADLETTER, STATE, GROUPS,
)  # fmt: skip


def state_of(app_id: str) -> Topic:
    """The changelog of a worker of that app id."""
    return replace(STATE, name=f"{app_id}-state-changelog")


def topics_of(app_id: str, correlate_id: str = CORRELATE_ID) -> tuple[Topic, ...]:
    """Every topic, with the changelogs of those app ids."""
    own = {STATE.name: state_of(app_id), GROUPS.name: groups_of(correlate_id)}
    return tuple(own.get(topic.name, topic) for topic in TOPICS)


def groups_of(app_id: str) -> Topic:
    """The changelog of a correlator of that app id."""
    return replace(state_of(app_id), key=GROUPS.key)


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


def readers(provider: str) -> str:
    """The consumer group that reads resources of a provider again. Each provider has one: a wish to another is passed
    over. AWS's is named as it was before there were others, so that its offsets stay."""
    return READERS if provider == "aws" else f"{READERS}-{provider}"


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
