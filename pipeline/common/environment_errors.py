"""Errors of the environment, not of Driftline: a full disk, a folder that is a file, a broker or a cloud that does
not answer. Each is reported in one line with its next step; commands that know more report it themselves, earlier."""

import errno
import os
import sys
from pathlib import Path

from driftline.pipeline.common import plugins
from driftline.pipeline.common.errors import Problem, UserError

COLLECTORS = "driftline.collectors"
"""The entry points of collectors: each knows the errors of its client."""

STEPS = {
    errno.ENOSPC: "free some space, or choose another place",
    errno.EDQUOT: "free some space, or choose another place",
    errno.EFBIG: "raise the limit of this user's files, or choose another place",
    errno.EACCES: "give this user the right to it, or choose another place",
    errno.EPERM: "give this user the right to it, or choose another place",
    errno.EROFS: "choose another place",
    errno.ENOTDIR: "expected a folder: choose another place",
    errno.EISDIR: "expected a file, found a folder: choose another place",
    errno.EEXIST: "something is there already: choose another place, or move it away",
    errno.ENOENT: "check the spelling",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its links form a loop",
    errno.EIO: "look at the disk",
    errno.ESTALE: "is it still mounted?",
    errno.EMFILE: "raise the limit of open files: ulimit -n",
    errno.ENFILE: "close other programs, or raise the system's limit of open files",
    errno.EAGAIN: "raise the limit of this user's processes: ulimit -u",
    errno.ENOMEM: "free some memory",
    errno.EADDRINUSE: "another program listens there: choose another port",
    errno.EADDRNOTAVAIL: "no interface of this machine has that address",
}
FULL = ("no space left on device", "disk quota exceeded")
ROCKSDB = "IO error: "
"""Prefix of RocksDB's file errors, which are plain exceptions."""


def describe_os_error(error: BaseException) -> Problem | None:
    """Describes an error of the operating system, with its next step; None for any other error."""
    if isinstance(error, OSError) and error.errno in STEPS:
        where = ", ".join(os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes | os.PathLike))  # fmt: skip
        return Problem(os.strerror(error.errno), STEPS[error.errno], where)
    return None


def describe_state_error(error: BaseException, folder: Path) -> Problem | None:
    """Describes an error of the state files; None for any other error."""
    text = str(error)
    if describe_os_error(error) is None and not text.startswith(ROCKSDB):
        return None
    full = any(word in text.lower() for word in FULL)
    step = (
        "free some space there"
        if full
        else "check its permissions and its disk; worker.state_dir names it"
    )
    return Problem(
        f"the state in {folder} cannot be written: {text.removeprefix(ROCKSDB)}",
        fix=f"{step}; nothing is lost",
    )


def describe(error: BaseException) -> Problem | None:
    """Describes an uncaught exception for the user; None if it is a fault of Driftline."""
    if (text := describe_os_error(error)) is not None:
        return text
    # a client that was not imported cannot have raised anything
    if (kafka := sys.modules.get("confluent_kafka")) and isinstance(error, kafka.KafkaException):
        return Problem(error.args[0].str(), place="Kafka", see="driftline doctor --only kafka")
    for collector in plugins.imported(COLLECTORS):
        explained = getattr(collector, "explained", None)
        if explained is not None and (found := explained(error)) is not None:
            problem: Problem = found
            return problem
    return None


def require_writable(folder: Path, setting: str) -> None:
    """Creates a folder (0700) if necessary, and checks that it is writable. Raises UserError that names the setting."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
    except OSError as error:
        step = STEPS.get(error.errno or 0, "choose another place")
        if isinstance(error, FileExistsError):  # it exists and is not a folder
            step = STEPS[errno.ENOTDIR]
        text = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(f"{folder} cannot be written: {text}", fix=step, place=setting) from None
