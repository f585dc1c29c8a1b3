"""Microsoft Azure: facts needed by detections. There is no collector yet."""

from driftline.pipeline.providers.provider import AuditLog, Provider

AZURE = Provider("azure", "Azure", AuditLog("azure", "activitylogs"))
