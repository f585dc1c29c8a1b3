"""Runs a worker process, or supervises one."""

import asyncio
import gc
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from driftline.pipeline.common.backoff import Backoff
from driftline.pipeline.common.environment_errors import require_writable
from driftline.pipeline.common.errors import UserError, patient
from driftline.pipeline.common.exit_codes import EXIT_OWN_ERROR, EXIT_RESTART
from driftline.pipeline.kafka import topics_admin
from driftline.pipeline.ops import log as logs
from driftline.pipeline.ops.health import listen, serve
from driftline.pipeline.records.topics import state_of
from driftline.pipeline.settings.blocks import Settings, reloaded
from driftline.pipeline.worker.stages import StreamStage

if TYPE_CHECKING:  # Faust is imported late: invalid settings must be reported before
    from driftline.pipeline.worker.agent import Agent

log = logging.getLogger("driftline.worker")
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
"""Seconds until a worker that died is started again."""
STEADY = 60.0
"""Seconds after which a worker that exits is restarted with the shortest back-off again."""


def run(
    settings: Settings, make: Callable[[Settings], StreamStage], command: str = "worker"
) -> None:
    """Runs a worker in this process until it is stopped by a signal; never returns. On SIGHUP settings, rules and detections
    are read again, by `make`. Raises UserError if they are invalid."""
    stage = make(settings)
    home = settings.worker.state_dir / stage.app_id
    require_writable(home, "worker.state_dir")
    with listen(settings.worker.bind, stage.port, f"{command}.port") as listening:
        logs.start()
        _check_topics(settings, stage)
        _run_worker(settings, make, stage, home, listening)


def _run_worker(
    settings: Settings,
    make: Callable[[Settings], StreamStage],
    stage: StreamStage,
    home: Path,
    listening: socket.socket,
) -> None:
    """Runs Faust's event loop; never returns."""
    found = topics_admin.ids(settings.kafka, (*stage.inputs, state_of(stage.app_id)))
    from driftline.pipeline.worker import faust_seam
    from driftline.pipeline.worker.app import create
    from driftline.pipeline.worker.store import opening_failed

    os.umask(0o077)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    app, agent = create(settings, stage, found)
    faust_seam.apply_changelog_by(agent.table, agent.rows.recover)
    faust_seam.on_open_failure(agent.table, partial(opening_failed, home))
    serve(listening, lambda: agent.heartbeat.alive)
    _reload_on_hangup(loop, agent, lambda: make(reloaded(settings)))
    gc.freeze()  # rules and settings stay for good: exclude them from collections
    gc.set_threshold(50_000, 20, 100)
    worker = faust_seam.process(app, loop, _LOGGING)
    code = EXIT_OWN_ERROR
    try:
        code = int(worker.execute_from_commandline() or 0)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else EXIT_OWN_ERROR
        code = (
            EXIT_RESTART if code == 1 else code
        )  # Faust's own: mostly a broker that is unavailable
    except BaseException:
        log.exception("the worker failed")
    finally:
        logging.shutdown()
        os._exit(code if agent.guard.broken is None else agent.guard.broken)


def _reload_on_hangup(
    loop: asyncio.AbstractEventLoop, agent: "Agent", remake: Callable[[], StreamStage]
) -> None:
    running: set[asyncio.Task[None]] = set()

    def start() -> None:
        task = loop.create_task(agent.reload(remake))
        running.add(task)
        task.add_done_callback(running.discard)

    loop.add_signal_handler(signal.SIGHUP, start)


def _check_topics(settings: Settings, stage: StreamStage) -> None:
    """Checks that Kafka is available and has the topics. Raises RestartWanted, or UserError for topics with wrong settings."""
    with patient():
        topics_admin.there(settings.kafka, stage.topics)
        problems = topics_admin.compare(settings.kafka, stage.topics)
    if wrong := topics_admin.told((one for one in problems if one.partitions), len(stage.topics)):
        raise UserError(*wrong)


_LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "driftline.pipeline.ops.log.Json"}},
    "handlers": {
        "err": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}
    },
    "root": {"level": "WARNING", "handlers": ["err"]},
    "loggers": {"driftline": {"level": "INFO"}},
}
"""Faust configures logging again when it starts: with the settings of driftline.pipeline.ops.log."""


def supervise(command: list[str], pause: Callable[[float], None] = time.sleep) -> int:
    """Runs the command, and restarts it with back-off whenever it asks for that (exit code 75) or is killed. Forwards signals.

    Returns its exit code once it ended by itself, with an error that a restart cannot fix, or because of a signal to this
    process."""
    logs.start()
    backoff, stopping = Backoff(FIRST_WAIT, LONGEST_WAIT), False
    child: subprocess.Popen[bytes] | None = None

    def forward(number: int, _: Any) -> None:
        nonlocal stopping
        stopping = stopping or number != signal.SIGHUP  # SIGHUP only reloads rules
        if child is not None:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    while True:
        began = time.monotonic()
        child = subprocess.Popen(command)  # noqa: S603 - our own command
        code = child.wait()
        if stopping or not (code == EXIT_RESTART or code < 0):
            return max(code, 0)
        if time.monotonic() - began > STEADY:
            backoff.succeeded()
        wait = backoff.failed()
        log.warning("the worker exited and is restarted", extra={"code": code})
        pause(wait if code != EXIT_RESTART else 0.2)
