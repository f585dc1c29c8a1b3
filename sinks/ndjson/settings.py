"""The settings of a sink of the kind `ndjson`."""

from pathlib import Path

from driftline.pipeline.settings.base import SinkSettings


class NdjsonSettings(SinkSettings):
    path: Path = Path("findings.ndjson")
    """The file that `driftline sink ndjson` appends to."""
