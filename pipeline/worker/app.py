"""Creates the Faust app, which does group membership, fetching and recovery of the state files. The order in which outputs,
state and offsets become durable is decided in commit.py, not by Faust."""

from collections.abc import Mapping
from typing import Any

import faust

from driftline.pipeline.common import limits
from driftline.pipeline.records.topics import PARTITIONS, state_of
from driftline.pipeline.settings.blocks import Settings
from driftline.pipeline.worker import faust_seam
from driftline.pipeline.worker.agent import Agent
from driftline.pipeline.worker.credentials import credentials
from driftline.pipeline.worker.stages import StreamStage

BUFFER = 400
"""Records buffered per stream. Faust counts records, not bytes, and a record is a micro-batch of up to 500 kB."""


def create(settings: Settings, stage: StreamStage, ids: Mapping[str, str]) -> tuple[Any, Agent]:
    """Returns the Faust app and its agent. `ids`: Kafka topic ids by topic name without prefix."""
    worker = settings.worker
    faust_seam.set_fetch_wait(50)
    assignor = faust_seam.complete_assignor(
        [topic.name for topic in (*stage.inputs, state_of(stage.app_id))],
        lambda topics: agent.guard.leave_group(
            "the brokers do not list all topics of this worker", topics=topics
        ),
    )
    state_dir = worker.state_dir / stage.app_id
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    app = faust.App(
        stage.app_id,
        broker=[f"aiokafka://{host.strip()}" for host in settings.kafka.bootstrap_servers.split(",")],
        broker_credentials=credentials(settings.kafka),
        store="rocksdb://", datadir=str(state_dir), web_enabled=False,
        topic_partitions=PARTITIONS, topic_replication_factor=1, topic_disable_leader=True,
        topic_allow_declare=False, table_standby_replicas=0, consumer_auto_offset_reset="earliest",
        broker_max_poll_records=500, stream_buffer_maxsize=BUFFER, broker_commit_interval=1.0,
        broker_session_timeout=worker.session_timeout, broker_heartbeat_interval=worker.session_timeout / 4,
        consumer_max_fetch_size=limits.FETCH, stream_wait_empty=False, PartitionAssignor=assignor,
    )  # fmt: skip
    agent = Agent(settings, app, stage, ids)
    faust_seam.recover_first(app, agent.catch_up, agent.rows.known)

    async def process(stream: Any) -> None:
        await agent.run(stream)

    channel = app.topic(
        *(topic.name for topic in stage.inputs),
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )
    app.agent(channel)(process)
    app.timer(0.5)(agent.idle)
    app.timer(worker.session_timeout)(agent.check_stalled)
    faust_seam.before_stop(app, agent.end)
    app.on_partitions_revoked.connect(lambda *_, **__: agent.revoked(), weak=False)
    return app, agent
