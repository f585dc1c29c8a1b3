"""Files that are none, or too much: an error at once, never a wait, never the memory."""

import gzip
import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from driftline.pipeline.common import files


@pytest.fixture
def odd(tmp_path: Path) -> dict[str, Path]:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b" " * (files.MOST_TEXT + 1))
    (tmp_path / "link").symlink_to("/dev/zero")
    return {"folder": tmp_path, "pipe": tmp_path / "pipe", "device": Path("/dev/zero"), "link to a device": tmp_path / "link",
            "large": tmp_path / "large", "absent": tmp_path / "absent"}  # fmt: skip


@pytest.mark.parametrize(
    "name", ["folder", "pipe", "device", "link to a device", "large", "absent"]
)
@pytest.mark.parametrize("read", [files.read_bytes, files.read_text, files.check_regular])
def test_what_is_no_file_to_read(odd: dict[str, Path], name: str, read: Any) -> None:
    with pytest.raises(OSError, match=r".") as told:
        read(odd[name])
    assert told.value.strerror


def test_a_link_to_a_file_is_a_file(tmp_path: Path) -> None:
    """As a mounted secret is."""
    (tmp_path / "a").write_text("käse")
    (tmp_path / "b").symlink_to("a")
    assert files.read_text(tmp_path / "b") == "käse"
    files.check_regular(tmp_path / "b")


@pytest.mark.parametrize("data", [b"", b"a", b"abcd", b"abcde", b"x" * 300_000], ids=len)
def test_packed_or_not(data: bytes) -> None:
    assert files.read_unpacked(io.BytesIO(data), 400_000) == data
    assert files.read_unpacked(io.BytesIO(gzip.compress(data)), 400_000) == data
    twice = gzip.compress(data) + gzip.compress(data)
    assert files.read_unpacked(io.BytesIO(twice), 800_000) == data * 2


def test_lines_of_a_packed_file() -> None:
    packed = io.BytesIO(gzip.compress(b"one\ntwo\nthree"))
    assert files.open_unpacked(packed).readlines() == [b"one\n", b"two\n", b"three"]


def bomb(size: int) -> io.BytesIO:
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as file:
        for _ in range(size // 1_000_000):
            file.write(bytes(1_000_000))
    return io.BytesIO(out.getvalue())


def test_a_bomb_is_left_by_its_size_or_by_its_ratio() -> None:
    with pytest.raises(files.TooLarge, match="more than 1000 bytes"):
        files.read_unpacked(bomb(10_000_000), 1000)
    with pytest.raises(files.TooLarge, match="times its size"):
        files.read_unpacked(bomb(100_000_000), 10**9)
    assert len(files.read_unpacked(bomb(10_000_000), 10**9)) == 10_000_000  # small: no harm


@pytest.mark.parametrize("spoiled", [b"\x1f\x8bnonsense", gzip.compress(b"x" * 1000)[:-9], gzip.compress(b"x") + b"rest"], ids=["nonsense", "cut", "rest"])  # fmt: skip
def test_what_cannot_be_unpacked(spoiled: bytes) -> None:
    with pytest.raises((OSError, EOFError)):
        files.read_unpacked(io.BytesIO(spoiled), 10_000)


@pytest.mark.parametrize("step", [1, 7, 65_536])
def test_archives_one_after_another(step: int) -> None:
    """With zeros after them, as a tape has; read in pieces of any size."""

    class Slow(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(step if size is None or size < 0 else min(size, step))

    parts = [b"", b"one", os.urandom(3000), b"", b"a" * 70_000]
    packed = b"".join(map(gzip.compress, parts)) + b"\0" * 700
    assert files.read_unpacked(Slow(packed), 100_000) == b"".join(parts)
    for spoiled in (packed + b"x", gzip.compress(b"one") + gzip.compress(b"two")[:9], b"\x1f\x8b", gzip.compress(b"x")[:-8] + b"\0" * 8):  # fmt: skip
        with pytest.raises((OSError, EOFError)):
            files.read_unpacked(Slow(spoiled), 100_000)


def test_a_flood_of_empty_archives_is_left() -> None:
    """Of 128 MB of them each would be begun and ended: minutes for nothing."""
    with pytest.raises(files.TooLarge, match="concatenated"):
        files.read_unpacked(io.BytesIO(gzip.compress(b"") * 300_000), 1000)


def test_another_archive_is_named() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.json", "{}")
    with pytest.raises(OSError, match="zip archive"):
        files.read_unpacked(io.BytesIO(out.getvalue()), 10_000)
