"""Where AWS's change events come from: queues, log files, lookups. Shells around driftline.collectors.aws.events."""
