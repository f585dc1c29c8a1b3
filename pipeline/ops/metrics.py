"""Every metric, on one page (Prometheus). Alert rules in deploy/ use no others."""

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter(
    "driftline_worker_elements",
    "Elements of snapshots, changes, signals, and decisions of control, processed, by what came of them",
    ["outcome"],
)
FORGOTTEN = Counter(
    "driftline_worker_states_forgotten",
    "States of which nothing is kept any more, long after their resources ended",
)
FINDINGS = Counter("driftline_worker_findings", "Findings said, by reason", ["reason"])
DRIFTS = Counter(
    "driftline_worker_drifts",
    "Drifts said, by what is known of their cause and by the reading that found them (`sweep`: events had missed it)",
    ["attribution", "found_by"],
)
SIGNALS = Counter(
    "driftline_worker_signals", "Matches of detections, for each correlation that looks for them"
)
UNFOLLOWED = Counter(
    "driftline_worker_unfollowed",
    "Matches that stay with their session although its origin may become known: more than 512 events of it waited",
)
ALERTS = Counter(
    "driftline_worker_alerts", "Alerts said, by what became of them", ["state", "severity"]
)
TICKETS = Counter("driftline_worker_tickets", "Tickets rendered", ["state", "severity"])
HELD = Counter(
    "driftline_worker_alerts_held_back", "Alerts beyond their rule's budget: told as held back"
)
DEAD = Counter("driftline_dead_letters", "What could not be processed", ["stage"])
RELOADS = Counter(
    "driftline_worker_reloads",
    "Rules and detections taken up anew (SIGHUP), or refused",
    ["result"],
)
BATCH = Histogram("driftline_worker_batch_seconds", "A batch from first record to acknowledgement")
PARTITIONS = Gauge("driftline_worker_partitions", "Partitions held")
WATERMARK = Gauge("driftline_worker_watermark_seconds", "The newest tick processed, as a Unix time")
WAITING = Gauge(
    "driftline_worker_waiting_records",
    "Records that this worker holds and has not processed",
    ["topic", "partition"],
)
READY = Gauge("driftline_worker_ready", "1 when partitions are assigned and their states recovered")

DELIVERED = Counter("driftline_sink_delivered", "Findings delivered", ["sink"])
RETRIED = Counter("driftline_sink_retried", "Deliveries tried again", ["sink"])
SINK_BEHIND = Gauge("driftline_sink_behind_seconds", "Age of the finding delivered last", ["sink"])

SWEEP_AGE = Gauge(
    "driftline_sweep_age_seconds",
    "Time since the last complete sweep began; +Inf where there was none",
    ["provider", "account", "region", "type"],
)
SWEEP_UNREAD = Gauge(
    "driftline_sweep_unread",
    "1 where the last sweep was denied or partial",
    ["provider", "account", "region", "type"],
)
"""Sweep metrics are told by `driftline coverage --serve`: a collector that died tells nothing of itself."""

EVENTS = Counter(
    "driftline_events",
    "What came of change events, by the way they came (`queue`: before that is known); `forged`: not from whom it says, `poison`: not understood",
    ["source", "outcome"],
)
EVENTS_UNTIL = Gauge(
    "driftline_events_until_seconds",
    "Up to when every event of a source has come, as a Unix time",
    ["source"],
)
REREADS = Counter("driftline_rereads", "Resources read again, by what came of it", ["outcome"])
REREADS_WAITING = Gauge("driftline_rereads_waiting", "Resources that wait to be read again")
