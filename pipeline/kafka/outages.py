"""Logs that brokers are unreachable: librdkafka retries forever without logging anything."""

import logging
import time
from collections.abc import Callable

from confluent_kafka import KafkaError

EVERY = 60.0
"""Seconds between two log lines."""


class Away:
    """Callback for a client's `error_cb`: logs a line when no broker answers, and again every minute during the outage."""

    def __init__(
        self, log: logging.Logger, where: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._log, self._where, self._now = log, where, now
        self._told = float("-inf")

    def __call__(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN or self._now() < self._told + EVERY:  # noqa: SLF001 - its public name
            return
        self._told = self._now()
        self._log.warning("Kafka is not reachable; retrying", extra={"brokers": self._where})
