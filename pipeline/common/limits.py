"""Size limits of records in bytes. Each limit leaves room for what the next larger one adds."""

EXCEPTIONS = 3_500_000
"""All exceptions of a partition, in one row of its state, which holds more than their texts."""
VALUE = 3_900_000
"""The value of a record that Driftline writes, and a row of the state; leaves room for key, headers and batch framing."""
RECORD = 4_000_000
"""`max.message.bytes` of topics, and the limit of producers; nothing larger is decoded."""
BROKER = 4_500_000
"""`message.max.bytes` of a local broker: more than any topic requires."""
FETCH = 2 * RECORD
"""Fetch size of consumers: a record of the largest size always fits."""
