"""The Faust app: group membership, fetching, and recovery of the state files. What is durable when is ours (ledger)."""

from collections.abc import Mapping
from typing import Any

import faust
from driftline.pipeline.common import limits
from driftline.pipeline.records.topics import PARTITIONS, state_of
from driftline.pipeline.settings.blocks import Settings
from driftline.pipeline.worker import faust_seam
from driftline.pipeline.worker.agent import Agent
from driftline.pipeline.worker.credentials import credentials
from driftline.pipeline.worker.stages import Job

BUFFER = 400
"""Records are micro-batches of up to 500 kB: the buffer counts records, not bytes."""


def create(settings: Settings, job: Job, ids: Mapping[str, str]) -> tuple[Any, Agent]:
    """The Faust app and its worker. `ids`: of its topics, by their own names."""
    worker = settings.worker
    faust_seam.set_fetch_wait(50)
    assignor = faust_seam.complete_assignor(
        [topic.name for topic in (*job.inputs, state_of(job.app_id))],
        lambda topics: agent.guard.leave("the brokers do not know our topics", topics=topics),
    )
    state_dir = worker.state_dir / job.app_id
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    app = faust.App(
        job.app_id,
        broker=[f"aiokafka://{host.strip()}" for host in settings.kafka.bootstrap_servers.split(",")],
        broker_credentials=credentials(settings.kafka),
        store="rocksdb://", datadir=str(state_dir), web_enabled=False,
        topic_partitions=PARTITIONS, topic_replication_factor=1, topic_disable_leader=True,
        topic_allow_declare=False, table_standby_replicas=0, consumer_auto_offset_reset="earliest",
        broker_max_poll_records=500, stream_buffer_maxsize=BUFFER, broker_commit_interval=1.0,
        broker_session_timeout=worker.session_timeout, broker_heartbeat_interval=worker.session_timeout / 4,
        consumer_max_fetch_size=limits.FETCH, stream_wait_empty=False, PartitionAssignor=assignor,
    )  # fmt: skip
    agent = Agent(settings, app, job, ids)
    faust_seam.recover_first(app, agent.catch_up, agent.rows.known)

    async def judge(stream: Any) -> None:
        await agent.run(stream)

    channel = app.topic(
        *(topic.name for topic in job.inputs),
        key_type=bytes,
        value_type=bytes,
        key_serializer="raw",
        value_serializer="raw",
    )
    app.agent(channel)(judge)
    app.timer(0.5)(agent.idle)
    app.timer(worker.session_timeout)(agent.look)
    faust_seam.before_stop(app, agent.end)
    app.on_partitions_revoked.connect(lambda *_, **__: agent.revoked(), weak=False)
    return app, agent
