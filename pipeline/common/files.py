"""Reads files that come from elsewhere: only regular files, up to a size, and decompressed up to a limit.

A named pipe would block forever, a device never ends, and a small archive could exhaust memory."""

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
"""Maximum size in bytes of files that people write: settings, rules, exceptions, keys."""
MOST_RATIO = 500
"""Maximum compression ratio. Audit logs reach about twenty; deflate is limited to 1,032."""
MOST_MEMBERS = 100_000
"""Maximum number of concatenated archives in a file: an empty one has 20 bytes, and costs as much as a real one."""
GZIP = 16 + zlib.MAX_WBITS
UNSUSPECTED = 64_000_000
"""Decompressed size in bytes up to which the ratio is not checked."""
OTHERS = {b"PK\x03\x04": "a zip archive", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"7z\xbc\xaf": "7z"}  # fmt: skip


class TooLarge(OSError):
    """The file is larger than any file of its kind."""

    def __init__(self, text: str) -> None:
        super().__init__(errno.EFBIG, text)

    def __str__(self) -> str:
        return str(self.strerror)


def open_regular(path: Path) -> BinaryIO:
    """Opens a regular file for reading. Raises OSError, also for a folder, a named pipe or a device."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is not a regular file (a folder, a named pipe or a device)", str(path))  # fmt: skip
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path, most: int = MOST_TEXT) -> bytes:
    """Returns the bytes of a regular file. Raises OSError, also if it has more than `most` bytes."""
    with open_regular(path) as file:
        found = file.read(most + 1)
    if len(found) > most:
        raise TooLarge(f"has more than {most} bytes")
    return found


def read_text(path: Path, most: int = MOST_TEXT) -> str:
    """Returns the text (UTF-8) of a regular file. Raises OSError and ValueError."""
    return read_bytes(path, most).decode("utf-8")


def load_shipped(path: Traversable) -> Any:
    """Loads a YAML file that is part of Driftline. Uses libyaml if available, which is ten times faster."""
    return yaml.load(path.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506


def check_regular(path: Path, most: int = MOST_TEXT) -> None:
    """Checks a file that a library will read by its path. Raises OSError if it cannot be read."""
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > most:
            raise TooLarge(f"has more than {most} bytes")


def open_unpacked(file: BinaryIO) -> BinaryIO:
    """Opens the content of a file, gzip or not, for reading in pieces. Reading raises OSError or EOFError if it
    cannot be decompressed, or if its ratio exceeds MOST_RATIO."""
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
    """Returns the whole content of a file, gzip or not. Raises as open_unpacked does, and above `most` bytes."""
    found = open_unpacked(file).read(most + 1)
    if len(found) > most:
        raise TooLarge(f"unpacks to more than {most} bytes")
    return found


class _Joined(io.RawIOBase):
    """What was already read, followed by the rest; counts the bytes."""

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
    """The content of a gzip file with one or more members, possibly padded with zeros."""

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
                raise OSError(errno.EINVAL, f"is not a gzip archive, or is corrupt: {why}") from None  # fmt: skip
            self._left = self._member.unconsumed_tail or self._member.unused_data
        buffer[: len(found)] = found
        self._count += len(found)
        if self._count > UNSUSPECTED and self._count > MOST_RATIO * self._packed.count:
            raise TooLarge(f"unpacks to more than {MOST_RATIO} times its size")
        return len(found)

    def _ready(self) -> bool:
        """Returns whether there is more to decompress; starts the next member."""
        if not self._left:
            self._left = self._packed.read(1 << 16)
        if not self._member.eof:
            if not self._left:
                raise EOFError("the archive is truncated")
            return True
        while self._left and not (rest := self._left.lstrip(b"\0")):
            self._left = self._packed.read(1 << 16)
        if not self._left:
            return False
        self._left, self._member = rest, zlib.decompressobj(wbits=GZIP)
        self._members += 1
        if self._members > MOST_MEMBERS:
            raise TooLarge(f"has more than {MOST_MEMBERS} concatenated archives")
        return True
