"""An account's public access block, which AWS Config writes as an item of its own, brought to the account's buckets."""

from collections.abc import Iterator

from driftline.pipeline.model import Part, Snapshot

BLOCK, BUCKET = "AWS::S3::AccountPublicAccessBlock", "AWS::S3::Bucket"
PART, OWN = "account_public_access_block", "block"


class AccountBlocks:
    """The blocks and the buckets of some files, in whatever order their items come."""

    def __init__(self) -> None:
        self._blocks: dict[str, Snapshot] = {}
        self._buckets: dict[str, Snapshot] = {}

    def see(self, snapshot: Snapshot) -> None:
        """Remembers the newest reading of a block, and of a bucket all but its configuration."""
        if snapshot.type == BLOCK:
            _newest(self._blocks, snapshot.account, snapshot)
        elif snapshot.type == BUCKET:
            bare = snapshot.model_copy(update={"config": {}, "parts": [], "unread": []})
            _newest(self._buckets, snapshot.uid, bare)

    def joined(self) -> Iterator[Snapshot]:
        """A reading of that one part for each bucket whose account's block is known: as of the bucket's own reading, for
        an item stands until there is a newer one."""
        for bucket in self._buckets.values():
            block = self._blocks.get(bucket.account)
            if block is None or bucket.deleted or OWN not in block.config:
                continue
            part = Part(name=PART, captured_at=bucket.captured_at, provided_at=block.captured_at)
            yield bucket.model_copy(update={"config": {PART: block.config[OWN]}, "parts": [part]})


def _newest(known: dict[str, Snapshot], key: str, snapshot: Snapshot) -> None:
    if key not in known or known[key].captured_at <= snapshot.captured_at:
        known[key] = snapshot
