"""JSON logs: a fixed sentence and its facts. Control characters are escaped; nothing is logged for each record."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_OWN = set(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime", "data"}


class Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "name": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in vars(record).items() if key not in _OWN}
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)  # ASCII: every control character is escaped


def start(level: str = "INFO") -> None:
    """Sends all logging to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("elastic_transport").setLevel("WARNING")  # a line for each request
    logging.disable(logging.DEBUG)  # building debug messages costs Faust time on every record
