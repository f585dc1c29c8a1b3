"""Google Cloud: what detections need. Nothing reads it yet."""

from driftline.pipeline.providers.provider import AuditLog, Provider

GCP = Provider("gcp", "Google Cloud", AuditLog("gcp", "gcp.audit"))
