"""Correlations: matches of rules over time, in one group, become alerts. Pure."""

from driftline.pipeline.correlate.group import Correlation, Group
from driftline.pipeline.detections.windows import Hit, Spec

__all__ = ["Correlation", "Group", "Hit", "Spec"]
