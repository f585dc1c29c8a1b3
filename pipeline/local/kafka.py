"""One real Kafka broker (KRaft) on loopback."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from driftline.pipeline.common import limits
from driftline.pipeline.local.packages import Progress, java, kafka_classpath, quiet
from driftline.pipeline.local.process import Child, answers, free_port, wait_until

CLUSTER = "driftlinedriftlinedrif"
START_SECONDS = 90


class KafkaServer:
    """A running broker. stop() and start() keep its data and its port."""

    def __init__(self, folder: Path, port: int, child: Child) -> None:
        self.folder, self.port, self.child = folder, port, child

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self.child.pid

    def start(self) -> None:
        self.child.start()
        wait_until(lambda: answers(self.port), START_SECONDS, self.child, "Kafka")

    def stop(self) -> None:
        self.child.stop()

    def kill(self) -> None:
        self.child.kill()


def start(
    folder: Path,
    port: int = 0,
    *,
    heap: str = "512m",
    properties: Mapping[str, str] | None = None,
    env: Mapping[str, str] | None = None,
    progress: Progress = quiet,
    clock: Callable[[], float] = time.monotonic,
) -> KafkaServer:
    """Starts a broker with its data in `folder`; returns when it answers. Raises RuntimeError with its log. `clock` measures
    START_SECONDS."""
    folder.mkdir(parents=True, exist_ok=True)
    port, controller = port or free_port(), free_port()
    config = folder / "server.properties"
    data = folder / "log"
    wanted: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": data,
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        "message.max.bytes": limits.BROKER,
        "log.cleaner.dedupe.buffer.size": 16_777_216,
        "log.retention.check.interval.ms": 300_000,
    }
    wanted |= properties or {}
    config.write_text("".join(f"{name}={value}\n" for name, value in wanted.items()))
    config.chmod(0o600)
    # without performance data, which would be left in the system's temporary folder
    command = [str(java(progress)), f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
               f"-Djava.io.tmpdir={folder}", "-cp", kafka_classpath(progress)]  # fmt: skip
    own = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": str(folder), "LANG": "C.UTF-8"}
    own |= env or {}
    log = folder / "kafka.txt"
    if not (data / "meta.properties").exists():
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(config)]
        formatting = Child([*command, *tool], log, own)
        code = formatting.wait()
        formatting.kill()
        if code:
            raise RuntimeError(f"Kafka could not format {data}:\n{formatting.tail()}")
    child = Child([*command, "kafka.Kafka", str(config)], log, own)
    wait_until(lambda: answers(port), START_SECONDS, child, "Kafka", clock)
    return KafkaServer(folder, port, child)
