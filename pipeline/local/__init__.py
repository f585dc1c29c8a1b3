"""Runs real Kafka and Elasticsearch from packages only, for the demo, tests and development."""
