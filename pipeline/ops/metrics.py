"""Every Prometheus metric. Alert rules in deploy/ use only these."""

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter(
    "driftline_worker_elements",
    "Snapshots, changes, signals and control decisions processed, by outcome",
    ["outcome"],
)
FORGOTTEN = Counter(
    "driftline_worker_states_forgotten",
    "States deleted a while after their resources ended",
)
FINDINGS = Counter("driftline_worker_findings", "Findings written, by reason", ["reason"])
DRIFTS = Counter(
    "driftline_worker_drifts",
    "Drifts written, by attribution and by the reading that found them (`sweep`: no event had reported it)",
    ["attribution", "found_by"],
)
SIGNALS = Counter(
    "driftline_worker_signals",
    "Matches of detections, counted once for each correlation that uses them",
)
UNFOLLOWED = Counter(
    "driftline_worker_unfollowed",
    "Matches that stay with their session although its origin may become known, because more than 512 of its events were waiting",
)
ALERTS = Counter("driftline_worker_alerts", "Alerts written, by state", ["state", "severity"])
TICKETS = Counter("driftline_worker_tickets", "Tickets rendered", ["state", "severity"])
HELD = Counter(
    "driftline_worker_alerts_held_back", "Alerts beyond their rule's budget, marked as held back"
)
DEAD = Counter("driftline_dead_letters", "Records that could not be processed", ["stage"])
RELOADS = Counter(
    "driftline_worker_reloads",
    "Reloads of rules and detections (SIGHUP), applied or refused",
    ["result"],
)
BATCH = Histogram(
    "driftline_worker_batch_seconds", "Duration of a batch, from first record to acknowledgement"
)
PARTITIONS = Gauge("driftline_worker_partitions", "Partitions held")
WATERMARK = Gauge("driftline_worker_watermark_seconds", "Latest tick processed, as Unix time")
WAITING = Gauge(
    "driftline_worker_waiting_records",
    "Records fetched and not yet processed",
    ["topic", "partition"],
)
READY = Gauge("driftline_worker_ready", "1 if partitions are assigned and their states recovered")

DELIVERED = Counter("driftline_sink_delivered", "Findings delivered", ["sink"])
RETRIED = Counter("driftline_sink_retried", "Deliveries retried", ["sink"])
SINK_BEHIND = Gauge(
    "driftline_sink_behind_seconds", "Age of the most recently delivered finding", ["sink"]
)

SWEEP_AGE = Gauge(
    "driftline_sweep_age_seconds",
    "Time since the start of the last complete sweep; +Inf if there was none",
    ["provider", "account", "region", "type"],
)
SWEEP_UNREAD = Gauge(
    "driftline_sweep_unread",
    "1 if the last sweep was denied or partial",
    ["provider", "account", "region", "type"],
)
"""Sweep metrics are reported by `driftline coverage --serve`: a dead collector cannot report its own state."""

EVENTS = Counter(
    "driftline_events",
    "Change events by source (`queue`: source not yet known) and outcome; `forged`: not from its claimed origin, `poison`: unreadable",
    ["source", "outcome"],
)
EVENTS_UNTIL = Gauge(
    "driftline_events_until_seconds",
    "Time up to which all events of a source have arrived, as Unix time",
    ["source"],
)
REREADS = Counter("driftline_rereads", "Resources re-read, by outcome", ["outcome"])
REREADS_WAITING = Gauge("driftline_rereads_waiting", "Resources waiting to be re-read")
