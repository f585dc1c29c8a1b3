"""Deliveries of AWS Config: files of configuration items."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from driftline.collectors.aws.files.account_block import BLOCK, AccountBlocks
from driftline.collectors.aws.files.config import MAPPINGS, snapshot_of
from driftline.collectors.folder.formats import FolderResult, OtherForm
from driftline.collectors.redact import Redactor
from driftline.pipeline.common.errors import Malformed
from driftline.pipeline.common.files import open_regular, read_unpacked
from driftline.pipeline.model import Snapshot
from driftline.pipeline.records import codec, tape

MOST_BYTES = 2_000_000_000
"""Maximum unpacked size of a file. (An AWS Config file contains one region of an account.)"""
MOST_DELIVERED = 512_000_000
"""The same for a file named by a notification."""


class ConfigFiles:
    """The files of one command."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor, self._blocks = redactor, AccountBlocks()

    def read(
        self,
        path: Path,
        emit: Callable[[Snapshot], None],
        told: FolderResult,
        known: set[str] | None,
    ) -> None:
        """Every item of a file. Raises OtherForm where it is no delivery of AWS Config."""
        for number, raw in enumerate(_items(_unpacked(path))):
            try:  # an error in one item must not affect the others
                with codec.one_record("a configuration item"):
                    item = codec.decode(bytes(raw))
                    type_ = _type(item)
                    wanted = known is None or type_ in known
                    if type_ not in MAPPINGS or not (wanted or type_ == BLOCK):
                        told.not_judged[type_] += 1
                    elif (snapshot := snapshot_of(item, self._redactor)) is None:
                        told.not_judged[f"{type_} (not recorded)"] += 1
                    else:
                        self._blocks.see(snapshot)
                        if wanted:
                            emit(snapshot)
                            told.records += 1
            except Malformed as why:
                told.problems.append(f"{path}: configurationItems[{number}]: {why}")

    def end(self) -> Iterator[Snapshot]:
        """What several files say together."""
        return self._blocks.joined()


def _unpacked(path: Path) -> bytes:
    with open_regular(path) as file:
        return read_unpacked(file, MOST_BYTES)


def _type(item: Any) -> str:
    """A configuration item's resource type. Raises Malformed if it is not an item."""
    if not isinstance(item, dict):
        raise Malformed("no JSON object")
    if not isinstance(type_ := item.get("resourceType"), str):
        raise Malformed("no text as resourceType" if "resourceType" in item else "no resourceType")
    return type_


def config_items(file: BinaryIO) -> Iterator[dict[str, Any] | Malformed]:
    """The items of an AWS Config delivery (gzip or not), or of an oversized message; a Malformed in place of
    an invalid one. Raises Malformed if the file is neither, or cannot be unpacked."""
    try:
        data = read_unpacked(file, MOST_DELIVERED)
    except tape.UNREADABLE as why:
        raise Malformed(f"no delivery of AWS Config: {why}") from None
    try:
        found = _items(data)
    except Malformed:
        one = codec.decode(data)
        item = one.get("configurationItem", one) if isinstance(one, dict) else None
        if not isinstance(item, dict) or "resourceType" not in item:
            raise
        yield item
        return
    for number, raw in enumerate(found):
        try:
            item = codec.decode(bytes(raw))
        except Malformed as why:
            yield Malformed(f"configurationItems[{number}]: {why}")
            continue
        yield item if isinstance(item, dict) else Malformed(f"configurationItems[{number}]: no JSON object")  # fmt: skip


class _File(msgspec.Struct):
    """The outline of an AWS Config snapshot; its items remain bytes, so that each is parsed separately."""

    configurationItems: list[msgspec.Raw]
    fileVersion: str | None = None


def _items(data: bytes) -> list[msgspec.Raw]:
    try:
        file = msgspec.json.decode(data, type=_File)
    except msgspec.ValidationError:
        raise OtherForm(
            "neither a tape nor an AWS Config snapshot (which has configurationItems)"
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise OtherForm(f"not JSON: {error}") from None
    if file.fileVersion is not None and file.fileVersion.split(".")[0] != "1":
        raise Malformed(f"AWS Config's file version {file.fileVersion[:20]} (known is 1)")
    return file.configurationItems
