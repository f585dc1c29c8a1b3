"""Exceptions that tell of where we run, not of a fault of ours: a full disk, a folder that is a file, a broker or a cloud that
does not answer. Each is told in one line with its next step; commands that know more of it tell it themselves, before."""

import errno
import os
import sys
from pathlib import Path

from driftline.pipeline.common.errors import Problem, UserError

STEPS = {
    errno.ENOSPC: "free some space, or choose another place",
    errno.EDQUOT: "free some space, or choose another place",
    errno.EFBIG: "raise the limit of this user's files, or choose another place",
    errno.EACCES: "give this user the right to it, or choose another place",
    errno.EPERM: "give this user the right to it, or choose another place",
    errno.EROFS: "choose another place",
    errno.ENOTDIR: "a folder is expected there: choose another place",
    errno.EISDIR: "a file is expected there, and it is a folder: choose another place",
    errno.EEXIST: "something is there already: choose another place, or move it away",
    errno.ENOENT: "is it written right?",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its links lead in a circle",
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
"""How RocksDB's errors of its files begin; they come as plain exceptions."""


def describe_os_error(error: BaseException) -> Problem | None:
    """What an error of the system says, with its next step; None for any other error."""
    if isinstance(error, OSError) and error.errno in STEPS:
        where = ", ".join(os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes | os.PathLike))  # fmt: skip
        return Problem(os.strerror(error.errno), STEPS[error.errno], where)
    return None


def describe_state_error(error: BaseException, folder: Path) -> Problem | None:
    """What happened to the files of a state; None where it is no error of theirs."""
    text = str(error)
    if describe_os_error(error) is None and not text.startswith(ROCKSDB):
        return None
    full = any(word in text.lower() for word in FULL)
    step = (
        "free some space there"
        if full
        else "look at its rights and its disk; worker.state_dir names it"
    )
    return Problem(
        f"the state in {folder} cannot be written: {text.removeprefix(ROCKSDB)}",
        fix=f"{step}; nothing is lost",
    )


def describe(error: BaseException) -> Problem | None:
    """What a person is told of an exception that nobody has caught; None where it is a fault of ours."""
    if (text := describe_os_error(error)) is not None:
        return text
    # a client that was not imported has raised nothing
    if (kafka := sys.modules.get("confluent_kafka")) and isinstance(error, kafka.KafkaException):
        return Problem(error.args[0].str(), place="Kafka", see="driftline doctor --only kafka")
    if (aws := sys.modules.get("driftline.collectors.aws.api.environment_errors")) and isinstance(
        error, aws.ERRORS
    ):
        found: Problem = aws.explained(error)
        return found
    elastic = sys.modules.get("elasticsearch")
    if elastic and isinstance(error, elastic.ApiError | elastic.TransportError):
        return Problem(error, place="Elasticsearch", see="driftline doctor --only elasticsearch")
    return None


def require_writable(folder: Path, setting: str) -> None:
    """Makes a folder (0700) where there is none, and tries to write there. Raises UserError that names the setting."""
    probe = folder / f".probe-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
    except OSError as error:
        step = STEPS.get(error.errno or 0, "choose another place")
        if isinstance(error, FileExistsError):  # it is there, and no folder
            step = STEPS[errno.ENOTDIR]
        text = os.strerror(error.errno) if error.errno else str(error)
        raise UserError(f"{folder} cannot be written: {text}", fix=step, place=setting) from None
