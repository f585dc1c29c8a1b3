"""Microsoft Azure: what detections need. Nothing reads it yet."""

from driftline.pipeline.providers.provider import AuditLog, Provider

AZURE = Provider("azure", "Azure", AuditLog("azure", "activitylogs"))
