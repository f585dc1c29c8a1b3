"""JSON logs: a fixed message with fields. Control characters are escaped; nothing is logged per record."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_OWN = set(vars(logging.LogRecord("", 0, "", 0, "", (), None))) | {"message", "asctime", "data"}


class Json(logging.Formatter):
    """Formats every record as one line of ASCII. Never raises."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "name": record.name,
            "message": _message(record),
        }
        line = {k: v for k, v in vars(record).items() if k not in _OWN and k not in line} | line
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        try:
            text = json.dumps(line, default=str, allow_nan=False)
        except (TypeError, ValueError, RecursionError):  # a key that is not a string, a cycle, NaN
            text = json.dumps({key: str(value) for key, value in line.items()})
        return text  # ASCII: every control character is escaped


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # its arguments do not match its format
        return str(record.msg)


def start(level: str = "INFO") -> None:
    """Sends all logging to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in (
        "botocore",
        "boto3",
    ):  # they log a line per request, or credentials
        logging.getLogger(chatty).setLevel("WARNING")
    logging.disable(logging.DEBUG)  # building debug messages costs Faust time on every record
