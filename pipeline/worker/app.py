"""The Faust app: group membership, fetching, and recovery of the state files. What is durable when is ours (ledger)."""

from collections.abc import Mapping
from typing import Any

import aiokafka
import faust
from driftline.pipeline.records.topics import PARTITIONS, state_of
from driftline.pipeline.settings.blocks import Settings
from driftline.pipeline.worker.agent import Agent
from driftline.pipeline.worker.assignor import Assignor
from driftline.pipeline.worker.credentials import credentials
from driftline.pipeline.worker.stages import Job
from faust.types import TP

BUFFER = 400
"""Records are micro-batches of up to 500 kB: the buffer counts records, not bytes."""


def create(settings: Settings, job: Job, ids: Mapping[str, str]) -> tuple[Any, Agent]:
    """The Faust app and its worker. `ids`: of its topics, by their own names."""
    worker = settings.worker
    _quick_fetches()
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
        consumer_max_fetch_size=8_000_000, stream_wait_empty=False, PartitionAssignor=Assignor,
    )  # fmt: skip
    agent = Agent(settings, app, job, ids)
    _catch_up_first(app, agent)
    Assignor.needed = (*job.inputs, state_of(job.app_id))
    Assignor.missing = staticmethod(
        lambda topics: agent.guard.leave("the brokers do not know our topics", topics=topics)
    )

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
    _end_first(app, agent)
    app.on_partitions_revoked.connect(lambda *_, **__: agent.revoked(), weak=False)
    return app, agent


def _quick_fetches() -> None:
    """Faust fixes fetch_max_wait_ms at 1500: one quiet partition then holds back the others of its broker."""
    init = aiokafka.AIOKafkaConsumer.__init__

    def quick(self: Any, *args: Any, **more: Any) -> None:
        init(self, *args, **(more | {"fetch_max_wait_ms": 50}))

    aiokafka.AIOKafkaConsumer.__init__ = quick


def _catch_up_first(app: Any, agent: Agent) -> None:
    """Faust's recovery takes about 0.1 ms a row, three minutes for a million resources: ours goes first, and leaves it
    nothing but the seeking. (Private names: see store.)"""
    recovery = app.tables.recovery
    build = recovery._build_offsets  # noqa: SLF001

    async def build_offsets(consumer: Any, tps: set[TP], offsets: Any, title: str) -> None:
        if title == "active" and tps:
            await agent.catch_up(tps)
            for tp in tps:
                if (known := agent.rows.known(tp.partition)) >= 0:
                    offsets[tp] = known
        await build(consumer, tps, offsets, title)

    recovery._build_offsets = build_offsets  # noqa: SLF001


def _end_first(app: Any, agent: Agent) -> None:
    """Faust closes the files as soon as it stops, and sends no signal before."""
    stop = app._stop_consumer  # noqa: SLF001

    async def end() -> None:
        await agent.end()
        await stop()

    app._stop_consumer = end  # noqa: SLF001
