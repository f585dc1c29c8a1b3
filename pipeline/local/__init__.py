"""Real Kafka and real Elasticsearch from packages alone: for the demo, the tests and a developer's day."""
