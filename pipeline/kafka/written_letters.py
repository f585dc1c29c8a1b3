"""Reads the letters already in the dead-letter topic, so that a record read again after a restart is not dead-lettered twice."""

import logging

from confluent_kafka import KafkaException, TopicPartition

from driftline.pipeline.common.errors import NotThere, UserError
from driftline.pipeline.kafka.client import TIMEOUT, consumer, read_all
from driftline.pipeline.kafka.dead_letters import Box
from driftline.pipeline.records.topics import DEADLETTER, looking
from driftline.pipeline.settings.blocks import Kafka

log = logging.getLogger("driftline")
TAIL = 5000
"""Number of newest records to read: more than a program writes before it stops because of too many."""


def standing(kafka: Kafka) -> set[str]:
    """Ids of the newest unacknowledged letters. None if the topic cannot be read: letters may then be written twice,
    but are listed as one."""
    try:
        reader = consumer(kafka, looking())
        try:
            low, high = reader.get_watermark_offsets(TopicPartition(DEADLETTER.name, 0), TIMEOUT)
        finally:
            reader.close()
        start = {0: max(low, high - TAIL)}
        return set(Box(read_all(kafka, DEADLETTER.name, start)).letters) if low < high else set()
    except (KafkaException, UserError, NotThere) as why:
        log.warning("cannot read the dead letters; some may be written twice", extra={"why": str(why)[:300]})  # fmt: skip
        return set()
