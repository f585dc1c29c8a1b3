"""How large a record may be, in bytes. Each limit leaves room for what the next one adds."""

EXCEPTIONS = 3_500_000
"""All exceptions of a partition, in one row of its state: the row holds more than their texts."""
VALUE = 3_900_000
"""The value of a record that we write, and a row of the state: key, headers and the batch's frame fit beside it."""
RECORD = 4_000_000
"""`max.message.bytes` of every topic and what our producers send; nothing larger is decoded."""
BROKER = 4_500_000
"""`message.max.bytes` of a broker that we start ourselves: more than any topic asks for."""
FETCH = 2 * RECORD
"""What a consumer asks for at once: a record of the largest size always fits."""
