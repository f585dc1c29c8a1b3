"""Files that somebody else names or writes: only regular ones are read, only so much of them, unpacked only so far.

A named pipe would be waited for without end, a device read without end, a small archive could fill the memory."""

import errno
import io
import os
import stat
import zlib
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, BinaryIO

import yaml

MOST_TEXT = 4_000_000
"""Bytes of a file that people write: settings, rules, exceptions, keys."""
MOST_RATIO = 500
"""Bytes unpacked for each packed one. Audit logs have some twenty; deflate cannot do more than 1,032."""
MOST_MEMBERS = 100_000
"""Archives that were put one after another in a file: an empty one has 20 bytes, and takes as long as a real one."""
GZIP = 16 + zlib.MAX_WBITS
UNSUSPECTED = 64_000_000
"""Bytes that may come of any archive, whatever its ratio."""
OTHERS = {b"PK\x03\x04": "a zip archive", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"7z\xbc\xaf": "7z"}  # fmt: skip


class TooLarge(OSError):
    """More than anything of its kind has."""

    def __init__(self, text: str) -> None:
        super().__init__(errno.EFBIG, text)

    def __str__(self) -> str:
        return str(self.strerror)


def open_regular(path: Path) -> BinaryIO:
    """A regular file, to read. Raises OSError, for a folder, a named pipe and a device as well."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file (a folder, a named pipe or a device)", str(path))  # fmt: skip
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path, most: int = MOST_TEXT) -> bytes:
    """A regular file's bytes. Raises OSError, where it has more than `most` as well."""
    with open_regular(path) as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise TooLarge(f"has more than {most} bytes")
    return found


def read_text(path: Path, most: int = MOST_TEXT) -> str:
    """A regular file's text (UTF-8). Raises OSError and ValueError."""
    return read_bytes(path, most).decode("utf-8")


def load_shipped(path: Traversable) -> Any:
    """What a YAML file says that comes with Driftline. By libyaml where there is one: ten times faster."""
    return yaml.load(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


def check_regular(path: Path, most: int = MOST_TEXT) -> None:
    """For a file that a library reads by its path: raises OSError where it is none to be read."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise TooLarge(f"has more than {most} bytes")


def open_unpacked(file: BinaryIO) -> BinaryIO:
    """What is in a file, gz or not, to be read piece by piece. Reading raises OSError or EOFError where it cannot be
    unpacked, or unpacks to more than MOST_RATIO times its size."""
    start = b""
    while len(start) < 4 and (more := file.read(4 - len(start))):
        start += more
    whole = _Joined(start, file)
    for mark, name in OTHERS.items():
        if start.startswith(mark[:4]):
            raise OSError(errno.EINVAL, f"is {name} (unpack it first; gzip is read as it is)")
    raw: Any = _Gunzipped(whole) if start[:2] == b"\x1f\x8b" else whole
    return io.BufferedReader(raw, 1 << 17)


def read_unpacked(file: BinaryIO, most: int) -> bytes:
    """Everything in a file, gz or not. Raises as unpacking() does, and for more than `most` bytes."""
    found = open_unpacked(file).read(most + 1)
    if len(found) > most:
        raise TooLarge(f"unpacks to more than {most} bytes")
    return found


class _Joined(io.RawIOBase):
    """What was read already, then the rest; counts."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start, self._rest, self.count = start, rest, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = self._start[: len(buffer)] or self._rest.read(len(buffer))
        self._start = self._start[len(buffer) :]
        buffer[: len(found)] = found
        self.count += len(found)
        return len(found)


class _Gunzipped(io.RawIOBase):
    """What is in a gzip file of one member or more, with zeros after the last."""

    def __init__(self, packed: _Joined) -> None:
        self._packed, self._count, self._members = packed, 0, 0
        self._left, self._member = b"", zlib.decompressobj(wbits=GZIP)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        found = b""
        while not found and self._ready():
            try:
                found = self._member.decompress(self._left, len(buffer))
            except zlib.error as why:
                raise OSError(errno.EINVAL, f"is no gzip archive, or a spoiled one: {why}") from None  # fmt: skip
            self._left = self._member.unconsumed_tail or self._member.unused_data
        buffer[: len(found)] = found
        self._count += len(found)
        if self._count > UNSUSPECTED and self._count > MOST_RATIO * self._packed.count:
            raise TooLarge(f"unpacks to more than {MOST_RATIO} times its size")
        return len(found)

    def _ready(self) -> bool:
        """Whether there is more to unpack; begins the next member."""
        if not self._left:
            self._left = self._packed.read(1 << 16)
        if not self._member.eof:
            if not self._left:
                raise EOFError("the archive is cut off")
            return True
        while self._left and not (rest := self._left.lstrip(b"\0")):
            self._left = self._packed.read(1 << 16)
        if not self._left:
            return False
        self._left, self._member = rest, zlib.decompressobj(wbits=GZIP)
        self._members += 1
        if self._members > MOST_MEMBERS:
            raise TooLarge(f"has more than {MOST_MEMBERS} archives one after another")
        return True
