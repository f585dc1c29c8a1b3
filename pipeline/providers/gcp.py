"""Google Cloud: facts needed by detections. There is no collector yet."""

from driftline.pipeline.providers.provider import AuditLog, Provider

GCP = Provider("gcp", "Google Cloud", AuditLog("gcp", "gcp.audit"))
