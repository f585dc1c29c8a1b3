"""Starts a worker process, or supervises one."""

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
from driftline.pipeline.settings.blocks import Settings, examine
from driftline.pipeline.worker.stages import Job

if TYPE_CHECKING:  # Faust comes later: a wrong setting must be told before
    from driftline.pipeline.worker.agent import Agent

log = logging.getLogger("driftline.worker")
FIRST_WAIT, LONGEST_WAIT = 0.5, 15.0
"""Seconds until a worker that died is started again."""
STEADY = 60.0
"""A worker that ran this long starts its back-off anew."""


def run(settings: Settings, make: Callable[[Settings], Job], command: str = "worker") -> None:
    """Runs a worker in this process, until a signal; never returns. At SIGHUP the settings and what they name are read
    again, and `make` makes of them what is judged by. Raises UserError for mistakes in them."""
    job = make(settings)
    home = settings.worker.state_dir / job.app_id
    require_writable(home, "worker.state_dir")
    with listen(settings.worker.bind, job.port, f"{command}.port") as listening:
        logs.start()
        _look(settings, job)
        _work(settings, make, job, home, listening)


def _work(
    settings: Settings,
    make: Callable[[Settings], Job],
    job: Job,
    home: Path,
    listening: socket.socket,
) -> None:
    """Never returns."""
    found = topics_admin.ids(settings.kafka, (*job.inputs, state_of(job.app_id)))
    from driftline.pipeline.worker import faust_seam
    from driftline.pipeline.worker.app import create
    from driftline.pipeline.worker.store import opening_failed

    os.umask(0o077)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    app, agent = create(settings, job, found)
    faust_seam.apply_changelog_by(agent.table, agent.rows.recover)
    faust_seam.on_open_failure(agent.table, partial(opening_failed, home))
    serve(listening, lambda: agent.alive)
    _reload_on_hangup(loop, agent, lambda: make(_same_deployment(settings)))
    gc.freeze()  # what is there now stays; a sweep of a large batch must not be walked again and again
    gc.set_threshold(50_000, 20, 100)
    worker = faust_seam.process(app, loop, _LOGGING)
    code = EXIT_OWN_ERROR
    try:
        code = int(worker.execute_from_commandline() or 0)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else EXIT_OWN_ERROR
        code = EXIT_RESTART if code == 1 else code  # Faust's own: mostly a broker that went away
    except BaseException:
        log.exception("the worker cannot go on")
    finally:
        logging.shutdown()
        os._exit(code if agent.guard.broken is None else agent.guard.broken)


def _reload_on_hangup(
    loop: asyncio.AbstractEventLoop, agent: "Agent", remake: Callable[[], Job]
) -> None:
    running: set[asyncio.Task[None]] = set()

    def start() -> None:
        task = loop.create_task(agent.reload(remake))
        running.add(task)
        task.add_done_callback(running.discard)

    loop.add_signal_handler(signal.SIGHUP, start)


def _same_deployment(settings: Settings) -> Settings:
    """The settings as they are now. Raises UserError where they name another deployment's topics."""
    read = examine()
    if read.problems:
        raise UserError(*read.problems)
    if read.settings.kafka.topic_prefix != settings.kafka.topic_prefix:
        raise UserError(
            "kafka.topic_prefix has changed: a running worker keeps its topics", fix="restart it"
        )
    return read.settings


def _look(settings: Settings, job: Job) -> None:
    """Kafka must be there with our topics. Raises RestartWanted, or UserError for topics that are wrong."""
    with patient():
        topics_admin.there(settings.kafka, job.topics)
        problems = topics_admin.compare(settings.kafka, job.topics)
    if wrong := topics_admin.told((one for one in problems if one.partitions), len(job.topics)):
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
"""Faust sets logging anew: as ours."""


def supervise(command: list[str], pause: Callable[[float], None] = time.sleep) -> int:
    """Starts the command again whenever it asks for it (75) or dies, with back-off; forwards signals.

    Its exit code once it ended by itself, with an error that another start cannot mend, or by a signal to us."""
    logs.start()
    backoff, stopping = Backoff(FIRST_WAIT, LONGEST_WAIT), False
    child: subprocess.Popen[bytes] | None = None

    def forward(number: int, _: Any) -> None:
        nonlocal stopping
        stopping = stopping or number != signal.SIGHUP  # that one only has it read its rules again
        if child is not None:
            child.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, forward)
    while True:
        began = time.monotonic()
        child = subprocess.Popen(command)  # noqa: S603 - ourselves
        code = child.wait()
        if stopping or not (code == EXIT_RESTART or code < 0):
            return max(code, 0)
        if time.monotonic() - began > STEADY:
            backoff.succeeded()
        wait = backoff.failed()
        log.warning("the worker ended and starts again", extra={"code": code})
        pause(wait if code != EXIT_RESTART else 0.2)
